"""From an empty data folder to a registered set, whatever happens in between."""

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from restyle.conversion.defaults import checked_defaults, checked_recipe
from restyle.models.catalogue import Catalogue, Entry
from restyle.models.files import hub as hubs
from restyle.models.install import Wish, install, remove, verified
from restyle.models.sets import starter_sets
from restyle.models.starter import Step, bring, register, steps
from restyle.wire.errors import RestyleError
from tests.support.command import PYTHONPATH
from tests.support.hub import Answer, Hub
from tests.support.starter import Tiny, registrable, tree

KILLS = 50
INSTALLER = Path(__file__).parents[1] / "support" / "killed_installer.py"


@pytest.fixture
def tiny(tmp_path: Path) -> Tiny:
    return registrable(tmp_path / "made")


@pytest.fixture
def data(tiny: Tiny, tmp_path: Path) -> Path:
    return tiny.tell(tmp_path / "data")


def planned(data: Path, hub: Hub, code: str = "") -> list[Step]:
    return steps(Catalogue.read(data), starter_sets(data)["tiny"], hubs.Hub(hub.url), code)


def installed(data: Path, hub: Hub, http: httpx.Client, *, code: str = "", source: Path | None = None) -> list[Entry]:
    catalogue = Catalogue.read(data)
    to_do = planned(data, hub, code)
    bring(to_do, http, source=source)
    return [register(catalogue, step, check_defaults=checked_defaults, check_recipe=checked_recipe) for step in to_do]


def test_an_empty_folder_is_filled(tiny: Tiny, data: Path, hub: Hub, http: httpx.Client) -> None:
    tiny.put(hub)
    entries = installed(data, hub, http)
    assert [entry.code for entry in entries] == ["tiny", "vae", "control", "lora", "coder"]
    assert (entries[0].defaults, entries[0].negative_prompt) == ({"Steps": 7, "CFGScale": 5.0}, "smudges")
    assert entries[2].facts["control"] == "tile"
    assert (entries[4].format, entries[4].name) == ("folder", "CODER")
    catalogue = Catalogue.read(data)
    assert catalogue.entries == tuple(entries)
    for entry in entries:
        verified(catalogue, entry)
        assert entry.path.is_relative_to(data / "models" / "files")
    assert not [name for name in tree(data) if name.endswith((".part", ".new"))]


def test_what_is_there_is_not_fetched_again(tiny: Tiny, data: Path, hub: Hub, http: httpx.Client) -> None:
    tiny.put(hub)
    entries = installed(data, hub, http)
    asked = {path: len(each) for path, each in hub.asked.items()}
    assert set(asked.values()) == {1}
    assert installed(data, hub, http) == entries
    assert {path: len(each) for path, each in hub.asked.items()} == asked

    # a file that went is fetched again, and its entry stays
    entries[3].path.unlink()
    assert installed(data, hub, http) == entries
    assert len(hub.asked[tiny.address("lora.safetensors")]) == 2


def test_a_second_name_for_the_main_model_shares_its_file(tiny: Tiny, data: Path, hub: Hub, http: httpx.Client) -> None:
    tiny.put(hub)
    first = installed(data, hub, http)[0]
    second = installed(data, hub, http, code="PICPIK Interior Design")[0]
    assert (second.code, second.path) == ("PICPIK Interior Design", first.path)
    assert len(hub.asked[tiny.address("tiny.safetensors")]) == 1
    catalogue = Catalogue.read(data)
    assert len(catalogue.entries) == 6
    remove(catalogue, "tiny")
    assert second.path.exists()
    remove(catalogue, "PICPIK Interior Design")
    assert not second.path.exists()


def test_models_that_an_operator_registered_are_taken_as_they_are(
    tiny: Tiny, data: Path, tmp_path: Path, hub: Hub, http: httpx.Client
) -> None:
    tiny.put(hub)
    lora = tmp_path / "made" / "lora.safetensors"
    own = install(Catalogue.read(data), lora, Wish("my own"), check_defaults=checked_defaults)
    assert installed(data, hub, http)[3] == own
    assert tiny.address("lora.safetensors") not in hub.asked


def test_a_code_of_another_model_is_told_before_anything_is_fetched(
    tiny: Tiny, data: Path, tmp_path: Path, hub: Hub
) -> None:
    lora = tmp_path / "made" / "lora.safetensors"
    install(Catalogue.read(data), lora, Wish("tiny"), check_defaults=checked_defaults)
    with pytest.raises(RestyleError, match=r'"tiny" is registered already, as another model; .* give another --code'):
        planned(data, hub)
    install(Catalogue.read(data), lora, Wish("vae"), check_defaults=checked_defaults)
    with pytest.raises(RestyleError, match=r'"vae" is registered already, as another model; `restyle models remove`'):
        planned(data, hub, "other")
    assert not hub.asked


@pytest.mark.parametrize("cached", [False, True])
def test_bytes_that_are_here_already_are_found_by_their_hash(
    tiny: Tiny, data: Path, tmp_path: Path, hub: Hub, http: httpx.Client, cached: bool
) -> None:
    """In a folder under whatever names, or in a hub's cache, whose names are links."""
    here = tmp_path / "here"
    for number, content in enumerate(tiny.bytes_of.values()):
        file = here / "blobs" / f"{number}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        if cached:
            link = here / "snapshots" / "0123" / f"x{number}.safetensors"
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(file)
    (here / "other").write_bytes(bytes(len(tiny.bytes_of["lora.safetensors"])))
    installed(data, hub, http, source=here)
    assert not hub.asked
    assert len(Catalogue.read(data).entries) == 5


def test_what_a_folder_lacks_is_named_and_the_rest_is_taken(
    tiny: Tiny, data: Path, tmp_path: Path, hub: Hub, http: httpx.Client
) -> None:
    tiny.put(hub)
    with pytest.raises(RestyleError, match=r"has not all that is wanted; missing: http.*/coder/config\.json \(SHA-256"):
        installed(data, hub, http, source=partly(tmp_path, "lora.safetensors"))
    assert Catalogue.read(data).entries == ()
    installed(data, hub, http)
    assert tiny.address("lora.safetensors") not in hub.asked
    with pytest.raises(RestyleError, match="nowhere is not a folder"):
        bring(planned(data, hub, "other"), http, source=tmp_path / "nowhere")


def partly(folder: Path, name: str) -> Path:
    target = folder / "partly" / "renamed"
    target.parent.mkdir()
    target.write_bytes((folder / "made" / name).read_bytes())
    return target.parent


def test_a_set_without_room_is_refused_before_anything_is_fetched(
    tiny: Tiny, data: Path, hub: Hub, http: httpx.Client
) -> None:
    tiny.put(hub)
    lora = len(tiny.bytes_of["lora.safetensors"])
    tiny.tell(data, **{f"bytes = {lora}\n": f"bytes = {2**60}\n"})
    with pytest.raises(RestyleError, match=r"for 6 files, takes [\d,]+ more bytes, and its disk has [\d,]+ free"):
        installed(data, hub, http)
    assert not hub.asked


def test_one_file_that_cannot_be_had_stops_the_rest_and_loses_nothing(
    tiny: Tiny, data: Path, hub: Hub, http: httpx.Client
) -> None:
    tiny.put(hub, {"lora.safetensors": (Answer(cut=100_000), Answer(401))})
    with pytest.raises(RestyleError, match=r"lora\.safetensors answered 401 .*; open .*/tiny/models: .*HF_TOKEN"):
        installed(data, hub, http)
    installed(data, hub, http)
    assert hub.asked[tiny.address("lora.safetensors")][-1].start == 100_000
    assert len(Catalogue.read(data).entries) == 5


def test_killed_at_fifty_moments_and_repeated_it_comes_to_the_same_end(
    tiny: Tiny, data: Path, tmp_path: Path, hub: Hub
) -> None:
    """At any event between the first look and the last entry, again and again; no byte of a file comes twice."""
    for trial in range(KILLS + 1):
        tiny.put(hub, before=f"/{trial}")
    done = subprocess.run(
        [sys.executable, str(INSTALLER), hub.url, str(data), str(tmp_path / "trials"), str(KILLS)],
        env={**os.environ, "PYTHONPATH": PYTHONPATH},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    trials: list[list[dict[str, int]]] = json.loads(done.stdout)
    assert sum(map(len, trials)) >= KILLS
    whole = tree(tmp_path / "trials" / "0")
    assert "models/catalogue.toml" in whole
    assert any(0 < size < 400_000 for kills in trials for left in kills for size in left.values())
    for trial, kills in enumerate(trials, 1):
        assert tree(tmp_path / "trials" / str(trial)) == whole
        for path in tiny.bytes_of:
            there = {0, *(left.get(path.rpartition("/")[2], 0) for left in kills)}
            starts = [one.start for one in hub.asked[tiny.address(path, f"/{trial}")]]
            assert starts == sorted(starts)
            assert set(starts) <= there
