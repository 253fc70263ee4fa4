"""LoRAs, embeddings and hypernetworks: each acts, is exactly neutral when neutral, and adds to the others.

Drawn with an IP-Adapter, since style injection would invert both pictures anew for each of them.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from shutil import copy
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from restyle.engines.diffusion import components
from restyle.engines.diffusion.device import Device
from restyle.engines.diffusion.lora.rack import LoraRack
from restyle.models.kinds import Architecture
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError
from tests.support import submodels
from tests.support.studio import SD15, SDXL, Studio, Sub

ZORP = ("a red zorp, watercolour",)


@pytest.fixture(scope="module", autouse=True)
def adapted(studio: Studio) -> Iterator[None]:
    with (
        studio.registered("encoder"),
        studio.registered("sd15-ip.safetensors", architecture=SD15),
        studio.registered("sdxl-ip.safetensors", architecture=SDXL),
    ):
        yield


@pytest.mark.parametrize(("name", "weights"), [("lora 2", (0.8, -1.0)), ("peft lora", (1.0, -0.5))])
def test_a_lora_acts_by_its_weight_and_not_at_weight_zero(
    studio: Studio, base: str, name: str, weights: tuple[float, ...]
) -> None:
    model, code = f"{base} folder", f"{base} {name}"
    drawn = [studio.once(model, subs=(Sub(code, weight),)) for weight in weights]
    assert len({picture.tobytes() for picture in (studio.plain(model), *drawn)}) == 3
    assert np.array_equal(studio.once(model, subs=(Sub(code, 0.0),)), studio.plain(model))


def test_a_lora_reaches_the_text_encoder(studio: Studio, base: str) -> None:
    """A file with the parts for text encoders alone changes the picture."""
    whole = load_file(studio.files / f"{base}-lora.safetensors")
    part = {name: value for name, value in whole.items() if not name.startswith("lora_unet_")}
    path = studio.files / f"{base}-text-only.safetensors"
    save_file(part, path)
    with studio.registered(path.name, architecture=Architecture(base)) as file:
        assert not np.array_equal(studio.once(f"{base} folder", subs=(Sub(file.name),)), studio.plain(f"{base} folder"))


def test_several_loras_add_up(studio: Studio, base: str) -> None:
    model = f"{base} folder"
    both = (Sub(f"{base} lora 2", 0.8), Sub(f"{base} peft lora", -0.5))
    drawn = studio.once(model, subs=both)
    assert not any(np.array_equal(drawn, studio.once(model, subs=(one,))) for one in both)
    twice = studio.once(model, subs=(Sub(f"{base} lora 2", 0.3), Sub(f"{base} lora 2", 0.5)))
    assert np.array_equal(twice, studio.once(model, subs=(Sub(f"{base} lora 2", 0.8),)))


def test_switching_between_loaded_loras_reads_no_file(studio: Studio, base: str, tmp_path: Path) -> None:
    files = []
    for name in ("lora", "peft lora"):
        file = studio.file(f"{base} {name}")
        files.append(replace(file, path=Path(copy(file.path, tmp_path))))
    rack = LoraRack(components.load(studio.file(f"{base} folder"), Device.of(studio.machine)))
    for file in files:
        with rack.attached([file]):
            file.path.unlink()
    for file in (*files, *files):
        with rack.attached([file]):
            pass
    with pytest.raises(RestyleError, match="cannot be used"), rack.attached([replace(files[0], sha256="0" * 64)]):
        pass


def test_trigger_words_are_added_once(studio: Studio, base: str) -> None:
    model, used = f"{base} folder", (Sub(f"{base} lora"),)
    assert studio.describe(model, subs=used).positive == "a red fox, watercolour, glimmer"
    given = studio.describe(model, subs=used, positive_prompts=("A (Glimmer:1.2) fox",))
    assert given.positive == "A (Glimmer:1.2) fox"
    assert studio.describe(model, subs=(Sub(f"{base} lora", 0.0),)).positive == "a red fox, watercolour"


def test_an_embedding_acts_where_its_word_stands(studio: Studio, base: str) -> None:
    model, used = f"{base} folder", (Sub(f"{base} word"),)
    assert not np.array_equal(
        studio.once(model, positive_prompts=ZORP, subs=used), studio.once(model, positive_prompts=ZORP)
    )
    assert not np.array_equal(
        studio.once(model, negative_prompts=("ZORP",), subs=used), studio.once(model, negative_prompts=("ZORP",))
    )


def test_an_embedding_whose_word_stands_nowhere_changes_nothing_and_is_named(studio: Studio, base: str) -> None:
    model, used = f"{base} folder", (Sub(f"{base} word"),)
    prompts = ("a red fox", "zorpish")
    assert np.array_equal(
        studio.once(model, positive_prompts=prompts, subs=used), studio.once(model, positive_prompts=prompts)
    )
    notices = studio.describe(model, positive_prompts=prompts, subs=used).notices
    assert any(f"{base} word" in notice and '"zorp"' in notice for notice in notices)


def test_an_embedding_is_the_same_from_either_file(studio: Studio) -> None:
    with studio.registered("sd15-word.pt", architecture=SD15, trigger_words=("zorp",)) as file:
        one = studio.once("sd15 folder", positive_prompts=ZORP, subs=(Sub(file.name),))
    assert np.array_equal(one, studio.once("sd15 folder", positive_prompts=ZORP, subs=(Sub("sd15 word"),)))


def test_a_hypernetwork_acts_by_its_strength_and_not_at_zero(studio: Studio) -> None:
    plain = studio.plain("sd15 folder")
    drawn = [studio.once("sd15 folder", subs=(Sub("sd15 hyper", strength),)) for strength in (1.0, 0.5, -1.0)]
    assert len({picture.tobytes() for picture in (plain, *drawn)}) == 4
    assert np.array_equal(studio.once("sd15 folder", subs=(Sub("sd15 hyper", 0.0),)), plain)


def test_hypernetworks_and_loras_all_have_their_part(studio: Studio) -> None:
    parts: tuple[Sub, ...] = (Sub("sd15 lora 2"), Sub("sd15 hyper"), Sub("sd15 hyper 2"))
    drawn = studio.once("sd15 folder", subs=parts)
    for part in parts:
        rest = tuple(other for other in parts if other is not part)
        assert not np.array_equal(drawn, studio.once("sd15 folder", subs=rest))


@pytest.mark.parametrize(
    ("settings", "same"),
    [
        ({"activation_func": "linear"}, False),
        ({"activation_func": "swish"}, False),
        ({"activate_output": True}, False),
        ({"dropout_structure": [0, 0.3, 0]}, True),
    ],
)
def test_a_hypernetworks_settings_count(studio: Studio, settings: dict[str, Any], same: bool) -> None:
    path = submodels.hypernetwork(studio.files / "settings.pt", **settings)
    with studio.registered(path.name, architecture=SD15) as file:
        drawn = studio.once("sd15 folder", subs=(Sub(file.name),))
    assert np.array_equal(drawn, studio.once("sd15 folder", subs=(Sub("sd15 hyper"),))) is same


def test_a_hypernetwork_without_activate_output_is_activated_at_its_end(studio: Studio) -> None:
    """As the program that trains them takes it."""
    drawn = []
    both: tuple[tuple[str, dict[str, Any]], ...] = (("said.pt", {"activate_output": True}), ("unsaid.pt", {}))
    for name, settings in both:
        path = submodels.hypernetwork(studio.files / name, **settings)
        if not settings:
            content = torch.load(path, weights_only=True)
            del content["activate_output"]
            torch.save(content, path)
        with studio.registered(name, architecture=SD15) as file:
            drawn.append(studio.once("sd15 folder", subs=(Sub(file.name),)))
    assert np.array_equal(drawn[0], drawn[1])


def test_a_lora_of_another_shape_is_refused_and_leaves_nothing(studio: Studio) -> None:
    state = load_file(studio.files / "sd15-lora2.safetensors")
    wrong = {name: torch.cat([value, value], dim=1) if "lora_down" in name else value for name, value in state.items()}
    path = studio.files / "wrong.safetensors"
    save_file(wrong, path)
    before = studio.plain("sd15 folder")
    with (
        studio.registered(path.name, architecture=SD15) as file,
        pytest.raises(RestyleError, match=r"wrong\.safetensors") as caught,
    ):
        studio.once("sd15 folder", subs=(Sub(file.name),))
    assert caught.value.code == Code.ENGINE_FAILED
    assert np.array_equal(studio.draw("sd15 folder"), before)


def test_a_lora_acts_without_its_parts_that_have_no_place(studio: Studio) -> None:
    state = load_file(studio.files / "sd15-lora2.safetensors")
    odd = "lora_unet_down_blocks_0_attentions_7_transformer_blocks_0_attn1_to_q"
    extra = {f"{odd}.lora_down.weight": torch.ones(4, 32), f"{odd}.lora_up.weight": torch.ones(32, 4)}
    path = studio.files / "odd.safetensors"
    save_file({**state, **extra}, path)
    with studio.registered(path.name, architecture=SD15) as file:
        drawn = studio.once("sd15 folder", subs=(Sub(file.name),))
    assert np.array_equal(drawn, studio.once("sd15 folder", subs=(Sub("sd15 lora 2"),)))
