"""``restyle models``: from a file to a model that requests may name."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import vgg
from restyle.models.kinds import Architecture
from tests.support import models
from tests.support.command import Ran, restyle
from tests.support.models import save
from tests.support.service import running

SHIPPED = ""
STEM = "lora_te_text_model_encoder_layers_0_self_attn_q_proj"
INK = {
    f"{STEM}.lora_down.weight": np.ones((2, 768), np.float16),
    f"{STEM}.lora_up.weight": np.ones((768, 2), np.float16),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files that would draw: tiny networks, and a LoRA of the usual width."""
    pytest.importorskip("diffusers")
    from tests.support import checkpoints

    made = tmp_path_factory.mktemp("files")
    checkpoints.single_file(made / "real.safetensors", Architecture.SD15)
    checkpoints.vae_file(made / "vae.safetensors", Architecture.SDXL)
    save(made / "ink.safetensors", INK)
    return made


@pytest.fixture
def folder(tmp_path: Path, files: Path) -> Path:
    (tmp_path / "in").mkdir()
    for file in files.iterdir():
        (tmp_path / "in" / file.name).hardlink_to(file)
    return tmp_path


def run(folder: Path, *arguments: str | Path) -> Ran:
    return restyle("models", *arguments, folder=folder, RESTYLE_REGISTRY=SHIPPED)


def listed(folder: Path) -> Any:
    return run(folder, "list", "--json").json()


def test_a_checkpoint_is_added_listed_shown_verified_and_removed(folder: Path) -> None:
    defaults = ("--steps", "25", "--sampler", "DPM++ 2M Karras", "--clip-skip", "2", "--cfg-scale", "6.5")
    added = run(folder, "add", "in/real.safetensors", "--code", "My Model", "--name", "Mine", *defaults)
    assert (added.code, added.err) == (0, "")
    assert 'registered "My Model": main, SD 1.5' in added.out

    model = listed(folder)["MainModels"]["My Model"]
    assert model["InferenceParams"] == {"Steps": 25, "Sampler": "DPM++ 2M Karras", "ClipSkip": 2, "CFGScale": 6.5}
    assert (model["Name"], model["Kind"], model["Architecture"], model["State"]) == ("Mine", "main", "sd15", "ok")
    row = next(line for line in run(folder, "list").out.splitlines() if line.startswith("My Model"))
    assert row.split()[2:4] == ["main", "sd15"]
    assert "Restyle Painter" in run(folder, "list").out

    shown = run(folder, "show", "My Model", "--json").json()
    assert shown["Path"] == str(folder / "in" / "real.safetensors")
    assert shown["Facts"]["has_vae"] is True
    assert "SHA256" in run(folder, "show", "My Model").out
    verified = run(folder, "verify", "My Model", "--files-only")
    assert (verified.code, verified.err) == (0, "")
    assert "as registered" in verified.out

    removed = run(folder, "remove", "My Model")
    assert "stays where it is" in removed.out
    assert "My Model" not in listed(folder)["MainModels"]
    assert (folder / "in" / "real.safetensors").exists()


def test_the_other_kinds(folder: Path) -> None:
    added = run(
        folder, "add", "in/ink.safetensors", "--code", "ink", "--trigger", "inky", "--trigger", "wash", "--lora-weight",
        "-0.5", "--kind", "lora", "--json",
    ).json()  # fmt: skip
    assert (added["Kind"], added["TriggerWordList"]) == ("lora", ["inky", "wash"])
    assert run(folder, "add", "in/vae.safetensors", "--code", "v", "--architecture", "sdxl", "--copy").code == 0
    shown = listed(folder)
    assert shown["LoraModels"]["ink"]["InferenceParams"] == {"LoraWeight": -0.5}
    assert shown["OtherModels"]["v"]["Default"] is True
    assert (folder / "in" / "vae.safetensors").exists()
    removed = run(folder, "remove", "v", "--json").json()
    assert removed["Changes"] == ["SDXL models used it as their vae; now they use the VAE built into each checkpoint"]


def test_what_could_not_draw_is_refused_and_what_is_left_out_is_named(folder: Path) -> None:
    odd = {name.replace("layers_0", "layers_99"): tensor for name, tensor in INK.items()}
    path = folder / "in" / "odd.safetensors"
    save(path, odd)
    refused = run(folder, "add", path, "--code", "odd")
    assert (refused.code, len(refused.err.splitlines())) == (2, 1)
    assert "layers_99" in refused.err
    assert "has a place in the main model" in refused.err
    save(path, {**INK, **odd})
    added = run(folder, "add", path, "--code", "odd")
    assert (added.code, added.err) == (0, "")
    assert "left out, since no main model has a place for it: lora_te_text_model_encoder_layers_99" in added.out
    assert run(folder, "verify", "odd", "--files-only").code == 0


def test_a_missing_file_is_marked(folder: Path) -> None:
    run(folder, "add", "in/real.safetensors", "--code", "real")
    (folder / "in" / "real.safetensors").unlink()
    assert f"missing: {folder}/in/real.safetensors" in run(folder, "list").out
    assert listed(folder)["MainModels"]["real"]["State"].startswith("missing")
    ran = run(folder, "verify", "real", "--files-only")
    assert (ran.code, len(ran.err.splitlines())) == (2, 1)
    assert "there is no such file or folder" in ran.err


def test_a_changed_file_is_told_by_its_hash(folder: Path) -> None:
    run(folder, "add", "in/ink.safetensors", "--code", "ink")
    (folder / "in" / "ink.safetensors").unlink()
    save(folder / "in" / "ink.safetensors", {name: tensor + 1 for name, tensor in INK.items()})
    ran = run(folder, "verify", "ink")
    assert ran.code == 2
    assert "the file changed" in ran.err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("add", "in/gone", "--code", "x"), "there is no such file or folder"),
        (("add", "in/real.safetensors"), "--code"),
        (("add", "in/real.safetensors", "--code", "x", "--kind", "lora"), "those of kind main, not of lora"),
        (("add", "in/real.safetensors", "--code", "x", "--kind", "spell"), "give one of main, lora"),
        (("add", "in/real.safetensors", "--code", "x", "--architecture", "sd2"), "give one of sd15, sdxl"),
        (("add", "in/real.safetensors", "--code", "x", "--steps", "500"), "an Int from 6 to 100"),
        (("add", "in/real.safetensors", "--code", "x", "--sampler", "eulero"), "give one of Euler, "),
        (("add", "in/vae.safetensors", "--code", "x"), "--architecture sd15"),
        (("add", "in/evil.pt", "--code", "x"), "would import"),
        (("add", "in/nan.safetensors", "--code", "x"), "NaN"),
    ],
)
def test_what_is_wrong_is_one_line(folder: Path, arguments: tuple[str, ...], reason: str) -> None:
    models.evil_torch(folder / "in" / "evil.pt", folder / "trace")
    save(folder / "in" / "nan.safetensors", {"emb_params": np.full((1, 768), np.nan, np.float32)})
    ran = run(folder, *arguments)
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (2, "", 1)
    assert reason in ran.err


@pytest.mark.parametrize("command", ["show", "verify", "remove"])
def test_a_model_that_is_not_there_is_told(folder: Path, command: str) -> None:
    ran = run(folder, command, "x")
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (4, "", 1)
    assert 'no model is registered as "x"' in ran.err
    assert not (folder / "trace").exists()
    assert not (folder / "restyle-data" / "models" / "catalogue.toml").exists()


def test_a_running_service_sees_what_is_registered(folder: Path) -> None:
    with running(folder, ready=False) as service:
        data_dir = service.settings.data_dir
        assert service.call("ListModels")["LoraModels"].keys() == {"ink"}
        run(folder, "add", "in/ink.safetensors", "--code", "brush", "--trigger", "inky", "--data-dir", data_dir)
        found = service.call("ListModels")["LoraModels"]["brush"]
        assert found["TriggerWordList"] == ["inky"]
        assert found["InferenceParams"] == {"LoraWeight": 1}
        (folder / "in" / "ink.safetensors").unlink()
        assert service.call("ListModels")["LoraModels"].keys() == {"ink"}


def test_the_neighbour_is_installed_from_a_file_and_shown(folder: Path) -> None:
    """Other weights than the right ones are refused; the state in the list tells what is missing."""
    assert "models install neighbour" in listed(folder)["MainModels"]["Restyle Neighbour"]["State"]
    (folder / "in" / "weights.h5").write_bytes(b"other weights")
    refused = run(folder, "install", "neighbour", "--from", "in/weights.h5")
    assert refused.code != 0
    assert "SHA-256" in refused.err
    unknown = run(folder, "install", "painter")
    assert unknown.code != 0
    assert "give one of sd15, sdxl, sdxl-fast, neighbour" in unknown.err
    done = run(folder, "install", "neighbour", "--from", str(vgg.weights().path))
    assert (done.code, done.err) == (0, "")
    assert listed(folder)["MainModels"]["Restyle Neighbour"]["State"] == "ok"
