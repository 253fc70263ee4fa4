"""All the names that trainers give one and the same part, and what a file brings beside its parts."""

from pathlib import Path

import pytest
import torch

from restyle.engines.diffusion import components
from restyle.engines.diffusion.components import Checkpoint
from restyle.engines.diffusion.device import Device
from restyle.engines.diffusion.lora.names import parts
from restyle.engines.diffusion.lora.rack import LoraRack
from tests.engines.diffusion.lora.test_forms import ATTENTION, numbers, product, written
from tests.support import ldm
from tests.support.checkpoints import HIDDEN
from tests.support.studio import Studio


@pytest.fixture(scope="module")
def checkpoints(studio: Studio) -> dict[str, Checkpoint]:
    return {
        base: components.load(studio.file(f"{base} folder"), Device.of(studio.machine)) for base in ("sd15", "sdxl")
    }


PEFT = ("lora_A.weight", "lora_B.weight")
NAMES = [
    ("unet.{}.lora_A.default.weight", "unet.{}.lora_B.default.weight"),
    ("unet.{}.lora_A.my_own-name.weight", "unet.{}.lora_B.my_own-name.weight"),
    *(
        (f"{beginning}{{}}.{PEFT[0]}", f"{beginning}{{}}.{PEFT[1]}")
        for beginning in ("unet.base_model.model.", "base_model.model.", "diffusion_model.", "unet.", "")
    ),
    ("unet.{}.lora.down.weight", "unet.{}.lora.up.weight"),
    ("{}.lora_linear_layer.down.weight", "{}.lora_linear_layer.up.weight"),
    ("lora_unet_{_}.lora_down.weight", "lora_unet_{_}.lora_up.weight"),
    ("lycoris_{_}.lora_down.weight", "lycoris_{_}.lora_up.weight"),
    ("{processor}_lora.down.weight", "{processor}_lora.up.weight"),
    ("lora_unet_{ldm_}.lora_down.weight", "lora_unet_{ldm_}.lora_up.weight"),
    ("diffusion_model.{ldm}.lora_A.weight", "diffusion_model.{ldm}.lora_B.weight"),
    ("unet.{ldm}.lora_down.weight", "unet.{ldm}.lora_up.weight"),
]


def named(pattern: str, place: str) -> str:
    inner = "output_blocks.3.1.transformer_blocks.0.attn1.to_q"
    stem, last = place.rsplit(".", 1)
    own = {"": place, "_": place.replace(".", "_"), "ldm": inner, "ldm_": inner.replace(".", "_")}
    own["processor"] = f"{stem}.processor.{last}"
    for key, value in own.items():
        pattern = pattern.replace(f"{{{key}}}", value)
    return pattern


@pytest.mark.parametrize("pair", NAMES, ids=[pair[0] for pair in NAMES])
@pytest.mark.parametrize("ending", [".safetensors", ".bin"])
def test_every_name_means_its_part(
    checkpoints: dict[str, Checkpoint], tmp_path: Path, pair: tuple[str, str], ending: str
) -> None:
    checkpoint = checkpoints["sd15"]
    layer = checkpoint.unet.get_submodule(ATTENTION)
    found = product(layer)
    state = dict(zip((named(pattern, ATTENTION) for pattern in pair), found.values(), strict=True))
    lora = LoraRack(checkpoint).loaded(written(tmp_path / f"x{ending}", state))
    assert list(lora.beside) == [layer]
    assert not lora.left_out


@pytest.mark.parametrize("base", ["sd15", "sdxl"])
def test_every_part_of_the_unet_has_its_name_of_ldm(checkpoints: dict[str, Checkpoint], base: str) -> None:
    unet = checkpoints[base].unet
    found = parts(unet, 0)
    layers = dict(unet.named_modules())
    for theirs, own in zip(ldm.unet(unet.state_dict()), unet.state_dict(), strict=True):
        name = theirs.removeprefix("model.diffusion_model.").rsplit(".", 1)[0].replace(".", "_")
        assert found[name] is layers[own.rsplit(".", 1)[0]]


@pytest.mark.parametrize(
    ("beginning", "which"),
    [
        ("lora_te1_text_model_", 0),
        ("lora_te_text_model_", 0),
        ("lora_te2_text_model_", 1),
        ("text_encoder.text_model.", 0),
        ("text_encoder.", 0),
        ("text_encoder_2.base_model.model.text_model.", 1),
        ("text_encoder_2.", 1),
    ],
)
def test_names_of_text_encoders(checkpoints: dict[str, Checkpoint], tmp_path: Path, beginning: str, which: int) -> None:
    checkpoint = checkpoints["sdxl"]
    place = "encoder.layers.3.self_attn.q_proj"
    layers = dict(checkpoint.encoders[which].named_modules())
    layer = layers.get(place) or layers[f"text_model.{place}"]
    ends = ("lora_A.weight", "lora_B.weight") if "." in beginning else ("lora_down.weight", "lora_up.weight")
    stem = beginning + (place if "." in beginning else place.replace(".", "_"))
    state = dict(zip((f"{stem}.{end}" for end in ends), product(layer).values(), strict=True))
    assert list(LoraRack(checkpoint).loaded(written(tmp_path / "x.safetensors", state)).beside) == [layer]


def test_what_has_no_place_is_left_out_by_name(checkpoints: dict[str, Checkpoint], tmp_path: Path) -> None:
    checkpoint = checkpoints["sd15"]
    layer = checkpoint.unet.get_submodule(ATTENTION)
    state = dict(zip((f"unet.{ATTENTION}.{end}" for end in PEFT), product(layer).values(), strict=True))
    state |= {"lora_te_text_model_encoder_layers_0_mlp_fc1.alpha": torch.tensor(4.0), "step": torch.tensor(9)}
    state |= {
        "unet.down_blocks.7.proj.lora_A.weight": numbers(2, 4),
        "unet.down_blocks.7.proj.lora_B.weight": numbers(4, 2),
    }
    lora = LoraRack(checkpoint).loaded(written(tmp_path / "x.safetensors", state))
    assert set(lora.left_out) == {
        "step",
        "unet.down_blocks.7.proj",
        "lora_te_text_model_encoder_layers_0_mlp_fc1.alpha",
    }


@pytest.mark.parametrize(
    ("base", "keys"), [("sd15", ["string_to_param.*"]), ("sdxl", ["clip_l", "clip_g"]), ("sdxl", ["clip_g"])]
)
def test_embeddings_that_a_lora_brings_come_with_it(
    checkpoints: dict[str, Checkpoint], tmp_path: Path, base: str, keys: list[str]
) -> None:
    checkpoint = checkpoints[base]
    place = ATTENTION if base == "sd15" else "mid_block.attentions.0.transformer_blocks.0.attn1.to_q"
    found = product(checkpoint.unet.get_submodule(place))
    state = dict(zip((f"unet.{place}.{end}" for end in PEFT), found.values(), strict=True))
    state |= {f"bundle_emb.my word.{key}": numbers(2, HIDDEN) for key in keys}
    file = written(tmp_path / "x.safetensors", state)
    with LoraRack(checkpoint).attached([file]) as brought:
        assert [(word.words, len(word)) for word in brought] == [(("my word",), 2)]
        there = [vectors is not None for vectors in brought[0].vectors]
        assert there == ([False, True] if keys == ["clip_g"] else [True] * len(keys))
