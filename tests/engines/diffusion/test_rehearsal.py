"""Rehearsed is what would draw: every file that tests draw with passes, and what drawing refuses is refused before."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from restyle.conversion.draw import Drawer
from restyle.conversion.plan import Pictures, plan
from restyle.conversion.rehearsal import rehearsed
from restyle.conversion.request import Conversion
from restyle.images.pixels import Pixels
from restyle.models.catalogue import Catalogue, Entry
from restyle.models.detect import detect
from restyle.models.install import Wish, settled
from restyle.models.kinds import Architecture
from restyle.wire.errors import RestyleError
from tests.support import checkpoints
from tests.support.checkpoints import Tensors, edit
from tests.support.studio import RAW, SD15, SDXL, STYLE, Studio

FILES = ["", ".safetensors", "-control", "-ip.safetensors", "-lora.safetensors", "-word.safetensors"]
SAME = ["-bare.safetensors", "-vae.safetensors", "-ip-plus.safetensors", "-peft.safetensors"]
"""Those that are read alike for both architectures."""


def entry(path: Path, architecture: Architecture | None, **wish: Any) -> Entry:
    """What ``add`` makes of a file before it asks whether it would draw."""
    found = detect(path)
    control = "tile" if found.kind.value == "controlnet" else ""
    found = settled(path, found, Wish("x", architecture=architecture, control=control, **wish))
    return Entry("x", "x", found.kind, found.architecture, path, found.format, "", 0, facts=found.facts)


@pytest.fixture(scope="module")
def mains(studio: Studio, tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    """A catalogue with one main model of each architecture."""
    catalogue = Catalogue.read(tmp_path_factory.mktemp("mains"))
    for base in ("sd15", "sdxl"):
        catalogue.add(studio.catalogue.get(f"{base} folder"))
    return catalogue


@pytest.mark.parametrize(
    ("base", "name"), [*(("sd15", name) for name in (*FILES, *SAME)), *(("sdxl", name) for name in FILES)]
)
def test_what_draws_is_whole(studio: Studio, base: str, name: str) -> None:
    path = studio.files / f"{base}{name}"
    assert rehearsed(entry(path, Architecture(base)), studio.catalogue) == {}


def test_what_belongs_to_no_architecture_is_looked_at_too(studio: Studio) -> None:
    assert rehearsed(entry(studio.files / "encoder", None), studio.catalogue) == {}
    assert rehearsed(entry(studio.files / "hyper.pt", SD15), studio.catalogue) == {}
    assert rehearsed(entry(studio.files / "sd15-word.pt", SD15), studio.catalogue) == {}


def test_what_has_no_place_is_named(studio: Studio, tmp_path: Path) -> None:
    state = load_file(studio.files / "sd15-lora2.safetensors")
    odd = [f"lora_unet_down_blocks_7_{number}" for number in range(7)]
    for stem in odd:
        state |= {f"{stem}.lora_down.weight": torch.ones(4, 32), f"{stem}.lora_up.weight": torch.ones(32, 4)}
    path = tmp_path / "odd.safetensors"
    save_file(state, path)
    found = rehearsed(entry(path, SD15), studio.catalogue)["left_out"]
    assert odd[0] in found
    assert found.endswith(" and 2 more")


def refused() -> Iterator[tuple[str, Any, str]]:
    """A file of the studio, what is done to its tensors, and what is said of it then."""

    def without(end: str) -> Any:
        def cut(state: Tensors) -> Tensors:
            lost = next(name for name in state if name.endswith(end))
            return {name: value for name, value in state.items() if name != lost}

        return cut

    def twice(piece: str) -> Any:
        return lambda state: {
            name: torch.cat([value, value], -1) if piece in name else value for name, value in state.items()
        }

    yield "sd15.safetensors", without("attn2.to_v.weight"), "attn2.to_v.weight"
    yield "sdxl.safetensors", without("mlp.c_proj.bias"), "text encoder"
    yield "sd15-vae.safetensors", without("decoder.norm_out.weight"), "norm_out"
    yield "sd15-lora.safetensors", twice("lora_down"), "does not fit the main model"
    yield "sd15-lora2.safetensors", lambda state: {name: 0 * value for name, value in state.items()}, "changes nothing"
    yield "sd15-word.safetensors", twice("emb"), "the text encoders are"
    yield "sd15-ip.safetensors", twice("to_k_ip"), "does not fit the UNet"
    yield "sdxl-ip.safetensors", without("5.to_v_ip.weight"), "does not fit the UNet"


@pytest.mark.parametrize(("name", "change", "reason"), list(refused()), ids=[case[0] for case in refused()])
def test_what_drawing_would_refuse_is_refused(
    studio: Studio, mains: Catalogue, tmp_path: Path, name: str, change: Any, reason: str
) -> None:
    path = tmp_path / name
    save_file({key: value.contiguous() for key, value in change(load_file(studio.files / name)).items()}, path)
    with pytest.raises(RestyleError, match=reason) as caught:
        rehearsed(entry(path, Architecture(name[:4])), mains)
    assert caught.value.field == "path"
    assert str(path) in caught.value.message


@pytest.mark.parametrize(
    ("part", "changes", "reason"),
    [
        ("unet/config.json", {"cross_attention_dim": 48}, "size mismatch"),
        ("text_encoder/config.json", {"num_hidden_layers": 13}, "layers.12"),
        ("scheduler/scheduler_config.json", {"beta_schedule": "unheard of"}, "no sampler follows"),
        ("unet/config.json", {"sample_size": None}, ""),
        ("unet/config.json", {"sample_size": [8, 16]}, ""),
    ],
)
def test_folders_by_their_configuration(tmp_path: Path, part: str, changes: dict[str, Any], reason: str) -> None:
    folder = checkpoints.folder(tmp_path / "m", SD15)
    edit(folder / part, **changes)
    found = entry(folder, SD15)
    if not reason:
        assert rehearsed(found, Catalogue.read(tmp_path / "data")) == {}
        return
    with pytest.raises(RestyleError, match=reason):
        rehearsed(found, Catalogue.read(tmp_path / "data"))


def test_without_a_main_model_the_first_networks_of_the_architecture_are_the_measure(
    studio: Studio, tmp_path: Path
) -> None:
    """The tiny LoRA fits the tiny main models alone; one of the usual widths needs none."""
    none = Catalogue.read(tmp_path / "data")
    with pytest.raises(RestyleError, match="does not fit the main model"):
        rehearsed(entry(studio.files / "sdxl-lora.safetensors", SDXL), none)
    stem, path = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k", tmp_path / "usual.safetensors"
    save_file({f"{stem}.lora_down.weight": torch.ones(2, 2048), f"{stem}.lora_up.weight": torch.ones(640, 2)}, path)
    assert rehearsed(entry(path, SDXL), none) == {}


def test_a_unet_alone_draws_what_it_draws_as_part_of_a_whole(studio: Studio) -> None:
    """With an IP-Adapter, since style injection would invert both pictures in many steps."""
    state = load_file(studio.files / "sd15.safetensors")
    path = studio.files / "alone.safetensors"
    save_file({name: each for name, each in state.items() if name.startswith("model.diffusion_model.")}, path)
    drawer = Drawer(studio.settings, own_process=False)

    def drawn(code: str) -> Pixels:
        asked = {"model": {"code": code, "parameters": {"steps": 6}}, "seed": 7, "use_main_model_vae": True}
        planned = plan(Conversion.read(asked), drawer.registry, Pictures("raw", "style", (64, 64)))
        return next(drawer.drawing(planned, RAW, (STYLE,)).images(lambda fraction: None))[0]

    with (
        studio.registered("encoder"),
        studio.registered("sd15-ip.safetensors", architecture=SD15),
        studio.registered(path.name, base="sd15 file"),
    ):
        assert rehearsed(studio.catalogue.get(path.name), studio.catalogue) == {}
        assert np.array_equal(drawn(path.name), drawn("sd15 file"))
