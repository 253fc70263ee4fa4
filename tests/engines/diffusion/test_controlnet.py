"""ControlNets of every kind: what they are shown, by whom, and the Union as the library runs it."""

from dataclasses import replace
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import ControlNetUnionModel
from safetensors.torch import load_file, save_file

from restyle.conversion.rehearsal import rehearsed
from restyle.engines.base import File, Role
from restyle.engines.diffusion import controlnet
from restyle.engines.diffusion.device import Device
from restyle.engines.diffusion.guidance import Control
from restyle.models.detect import detect
from restyle.models.install import Wish, settled
from restyle.wire.errors import RestyleError
from tests.support import checkpoints
from tests.support.studio import RAW, SDXL, STYLE, Studio

MAP = np.ascontiguousarray(STYLE[:, :48].repeat(2, axis=0)[:64].repeat(2, axis=1)[:, :64])


@pytest.fixture(scope="module")
def union(studio: Studio) -> Path:
    return checkpoints.controlnet_union(studio.files / "union")


def test_a_map_acts_in_place_of_what_is_found(studio: Studio) -> None:
    """A map that is what would have been found draws the same picture; another draws another."""
    for kind in ("canny", "lineart"):
        found = (controlnet.condition(kind, RAW)[0] * 255).round().to(torch.uint8).numpy().transpose(1, 2, 0)
        with studio.registered("sdxl-control", control=kind, architecture=SDXL):
            plain = studio.draw("sdxl folder")
            assert np.array_equal(studio.draw("sdxl folder", control=found), plain)
            assert not np.array_equal(studio.draw("sdxl folder", control=MAP), plain)


def test_what_is_not_found_here_takes_a_map_alone(studio: Studio) -> None:
    for kind in ("depth", "softedge", "openpose"):
        with studio.registered("sdxl-control", control=kind, architecture=SDXL):
            description = studio.describe("sdxl folder", control=MAP)
            assert description.parameters["ControlNet type"] == kind
            with pytest.raises(RestyleError, match=f"{kind} comes with a map"):
                studio.describe("sdxl folder")


def file(path: Path, **wish: Any) -> File:
    found = settled(path, detect(path), Wish("x", architecture=SDXL, **wish))
    return File(Role.CONTROLNET, path, path.name, path.name, found.format, SDXL, found.facts)


@pytest.mark.parametrize("named", ["ControlNetUnionModel", "ControlNetModel_Union", "ControlNetModel"])
def test_a_union_is_told_by_its_tensors(union: Path, tmp_path: Path, named: str) -> None:
    folder, device = tmp_path / "union", Device("cpu", torch.float32, torch.float32)
    copytree(union, folder)
    checkpoints.edit(folder / "config.json", _class_name=named)
    single = folder / "diffusion_pytorch_model.safetensors"
    networks = [controlnet.load(file(path), device) for path in (folder, single)]
    wanted = load_file(single)
    for network in networks:
        assert isinstance(network, ControlNetUnionModel)
        state = network.state_dict()
        assert state.keys() == wanted.keys()
        assert all(torch.equal(state[name], wanted[name]) for name in wanted)


def test_a_union_says_what_it_can_be_shown(union: Path, tmp_path: Path) -> None:
    more = checkpoints.controlnet_union(tmp_path / "more", tasks=8)
    assert file(union).facts["controls"] == ["canny", "lineart", "depth", "softedge", "openpose"]
    assert file(union).facts["control"] == "canny"
    assert file(more, control="tile").facts["control"] == "tile"
    with pytest.raises(RestyleError, match="shown canny, lineart, depth, softedge, openpose, not tile"):
        file(union, control="tile")
    odd = checkpoints.controlnet_union(tmp_path / "odd", tasks=7)
    with pytest.raises(RestyleError, match="a ControlNet Union of 7 tasks; known are those of 6 and 8"):
        detect(odd)


@pytest.mark.parametrize("kind", ["openpose", "depth", "softedge", "canny"])
def test_a_union_computes_what_the_library_computes(union: Path, kind: str) -> None:
    """By the numbers that its authors gave the tasks; to the last digit."""
    task = ("openpose", "depth", "softedge", "canny").index(kind)
    network = controlnet.load(file(union), Device("cpu", torch.float32, torch.float32))
    reference = ControlNetUnionModel.from_pretrained(union)
    shown = controlnet.as_shown(MAP).expand(2, -1, -1, -1)
    with checkpoints.seeded(5):
        given = (torch.randn(2, 4, 8, 8), torch.tensor(500))
        more = {
            "encoder_hidden_states": torch.randn(2, 3, 64),
            "added_cond_kwargs": {"text_embeds": torch.randn(2, 32), "time_ids": torch.ones(2, 6)},
            "conditioning_scale": 0.7,
            "return_dict": False,
        }
    control = Control(network, shown, 0.7, task=controlnet.TASKS[kind])
    with torch.no_grad():
        down, middle = network(*given, **control.shown(shown), **more)
        types = torch.zeros(2, 6)
        types[:, task] = 1
        wanted, wanted_middle = reference(
            *given, controlnet_cond=[shown], control_type=types, control_type_idx=[task], **more
        )
    assert torch.equal(middle, wanted_middle)
    assert all(torch.equal(one, other) for one, other in zip(down, wanted, strict=True))
    assert float(middle.abs().max()) > 0


def test_a_union_draws_and_each_kind_otherwise(studio: Studio, union: Path) -> None:
    plain = studio.plain("sdxl folder")
    with studio.registered("union", architecture=SDXL) as entry:
        assert rehearsed(studio.catalogue.get("union"), studio.catalogue) == {}
        job = studio.job("sdxl folder", control=MAP)
        drawn = []
        for kind in ("canny", "depth"):
            shown = replace(entry, facts={**entry.facts, "control": kind})
            files = tuple(shown if each.role is Role.CONTROLNET else each for each in job.files)
            drawn.append(next(iter(studio.engine.convert(replace(job, files=files), lambda fraction: None))))
    assert not np.array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], plain)


def test_a_union_of_another_width_is_refused_at_add(studio: Studio, union: Path, tmp_path: Path) -> None:
    state = load_file(union / "diffusion_pytorch_model.safetensors")
    lost = next(name for name in state if name.startswith("transformer_layes."))
    path = tmp_path / "cut.safetensors"
    save_file({name: value for name, value in state.items() if name != lost}, path)
    with studio.registered(str(path), architecture=SDXL), pytest.raises(RestyleError, match="has another form"):
        rehearsed(studio.catalogue.get(str(path)), studio.catalogue)
