"""Files told by their tensors: every kind, every family, and those that are refused, by name."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from restyle.models.detect import detect
from restyle.models.kinds import Architecture, Kind
from restyle.wire.errors import RestyleError
from tests.support import models
from tests.support.models import Arrays, arrays, lora, save, under

SD15, SDXL = Architecture.SD15, Architecture.SDXL
ATTENTION = "transformer_blocks_0_attn2_to_k"
MIDDLE = "lora_unet_mid_block_attentions_0"
PEFT = "attentions.0.transformer_blocks.0.attn2.to_k"
FOUND: dict[str, tuple[Arrays, Kind, Architecture | None, dict[str, Any]]] = {
    "sd15": (
        models.checkpoint("sd15"),
        Kind.MAIN,
        SD15,
        {"prediction_type": "epsilon", "has_vae": True, "context": 768, "widths": [32, 768], "layout": "ldm"},
    ),
    "sdxl": (models.checkpoint("sdxl"), Kind.MAIN, SDXL, {"has_vae": True, "context": 2048}),
    "sd15 without vae": (models.checkpoint("sd15", vae=False), Kind.MAIN, SD15, {"has_vae": False}),
    "small sdxl": (models.checkpoint("sdxl", context=64), Kind.MAIN, SDXL, {"context": 64}),
    "inpainting": (models.checkpoint("sd15", channels=9), Kind.MAIN, SD15, {"context": 768}),
    "unet without text encoders": (
        {name: each for name, each in models.checkpoint("sdxl").items() if not name.startswith("conditioner")},
        Kind.MAIN,
        SDXL,
        {"alone": True, "has_vae": False},
    ),
    "unet alone": (models.unet("sd15"), Kind.MAIN, SD15, {"alone": True, "context": 768}),
    "unet alone by diffusers' names": (
        arrays({"conv_in.weight": (8, 4, 3, 3), "down_blocks.0.attn2.to_k.weight": (8, 768)}),
        Kind.MAIN,
        SD15,
        {"alone": True},
    ),
    "v-prediction": (
        models.checkpoint("sdxl") | arrays({"v_pred": ()}),
        Kind.MAIN,
        SDXL,
        {"prediction_type": "v_prediction"},
    ),
    "v-prediction, no noise left": (
        models.checkpoint("sdxl") | arrays({"v_pred": (), "ztsnr": ()}),
        Kind.MAIN,
        SDXL,
        {"prediction_type": "v_prediction", "zero_snr": True},
    ),
    "kohya sd15": (
        lora(
            {
                f"lora_unet_down_blocks_0_attentions_0_{ATTENTION}": 768,
                "lora_te_text_model_encoder_layers_0_q_proj": 768,
            }
        ),
        Kind.LORA,
        SD15,
        {"layout": "kohya", "text_encoder": True},
    ),
    "kohya sdxl": (
        lora({f"lora_unet_input_blocks_4_1_{ATTENTION}": 2048}),
        Kind.LORA,
        SDXL,
        {"layout": "kohya", "text_encoder": False},
    ),
    "kohya sdxl, text only": (lora({"lora_te2_text_model_encoder_layers_0_q_proj": 1280}), Kind.LORA, SDXL, {}),
    "kohya sdxl by depth": (lora({"lora_unet_input_blocks_7_1_transformer_blocks_9_ff": 5}), Kind.LORA, SDXL, {}),
    "kohya sd15 by place": (lora({"lora_unet_up_blocks_3_attentions_0_proj_in": 5}), Kind.LORA, SD15, {}),
    "peft sd15": (
        lora({f"unet.mid_block.{PEFT}": 768, "text_encoder.text_model.x": 768}, layout="diffusers"),
        Kind.LORA,
        SD15,
        {"layout": "diffusers", "text_encoder": True},
    ),
    "peft sdxl": (lora({f"unet.mid_block.{PEFT}": 2048}, layout="diffusers"), Kind.LORA, SDXL, {}),
    "loha": (
        arrays({f"lora_unet_up_blocks_3_x.hada_w{i}_{part}": (4, 4) for i in (1, 2) for part in "ab"}),
        Kind.LORA,
        SD15,
        {"layout": "kohya", "text_encoder": False},
    ),
    "loha by context": (
        arrays({f"lora_unet_mid_block_{ATTENTION}.hada_w{i}_{part}": (4, 2048) for i in (1, 2) for part in "ab"}),
        Kind.LORA,
        SDXL,
        {},
    ),
    "lokr": (arrays({f"lycoris_up_blocks_3_x.lokr_w{i}": (4, 4) for i in (1, 2)}), Kind.LORA, SD15, {}),
    "locon with a core": (lora({MIDDLE: 4}) | arrays({f"{MIDDLE}.lora_mid.weight": (2, 2, 3, 3)}), Kind.LORA, None, {}),
    "whole differences": (arrays({f"{MIDDLE}.diff": (4, 4), f"{MIDDLE}.diff_b": (4,)}), Kind.LORA, None, {}),
    "dora": (lora({f"{MIDDLE}_{ATTENTION}": 768}) | arrays({f"{MIDDLE}.dora_scale": (4, 1)}), Kind.LORA, SD15, {}),
    "peft with an adapter's name": (
        arrays({f"unet.mid_block.{PEFT}.lora_{half}.mine.weight": (768, 768) for half in "AB"}),
        Kind.LORA,
        SD15,
        {"layout": "diffusers"},
    ),
    "peft alone": (lora({f"base_model.model.mid_block.{PEFT}": 2048}, layout="diffusers"), Kind.LORA, SDXL, {}),
    "without a beginning": (lora({f"mid_block.{PEFT}": 768}, layout="diffusers"), Kind.LORA, SD15, {}),
    "by ldm's names": (
        lora({"diffusion_model.output_blocks.1.1.proj_in": 8}, layout="diffusers"),
        Kind.LORA,
        SDXL,
        {},
    ),
    "lora with embeddings": (
        lora({MIDDLE: 4}) | arrays({"bundle_emb.my word.clip_l": (2, 768), "bundle_emb.my word.clip_g": (2, 1280)}),
        Kind.LORA,
        SDXL,
        {"embeddings": ["my word"]},
    ),
    "lora that tells no family": (lora({"lora_unet_mid_block_attentions_0_proj_in": 64}), Kind.LORA, None, {}),
    "lora of a strange width": (lora({f"lora_unet_mid_block_attentions_0_{ATTENTION}": 32}), Kind.LORA, None, {}),
    "embedding": (
        arrays({"emb_params": (4, 768)}),
        Kind.EMBEDDING,
        SD15,
        {"layout": "a1111", "vectors": 4},
    ),
    "sdxl embedding": (
        arrays({"clip_l": (3, 768), "clip_g": (3, 1280)}),
        Kind.EMBEDDING,
        SDXL,
        {"layout": "sdxl", "vectors": 3},
    ),
    "half an sdxl embedding": (arrays({"clip_g": (3, 1280)}), Kind.EMBEDDING, SDXL, {"layout": "sdxl", "vectors": 3}),
    "learned embedding": (
        arrays({"<cat>": (768,)}),
        Kind.EMBEDDING,
        SD15,
        {"layout": "diffusers", "vectors": 1},
    ),
    "small embedding": (arrays({"emb_params": (2, 32)}), Kind.EMBEDDING, None, {"vectors": 2}),
    "vae": (models.VAE, Kind.VAE, None, {"layout": "ldm"}),
    "vae of a checkpoint": (under("first_stage_model.", models.VAE), Kind.VAE, None, {"layout": "ldm"}),
    "ip-adapter": (
        models.ip_adapter(16, 768),
        Kind.IP_ADAPTER,
        SD15,
        {"layout": "flat", "plus": False, "clip_dim": 1024, "tokens": 4, "context": 768},
    ),
    "ip-adapter plus sdxl": (
        models.ip_adapter(70, 2048, clip=1280, plus=True),
        Kind.IP_ADAPTER,
        SDXL,
        {"plus": True, "clip_dim": 1280, "tokens": 16},
    ),
    "small ip-adapter": (models.ip_adapter(28, 64), Kind.IP_ADAPTER, None, {}),
    "image encoder": (
        models.image_encoder(1280, 32, 1024),
        Kind.IMAGE_ENCODER,
        None,
        {
            "hidden": 1280,
            "layers": 32,
            "projection": 1024,
            "heads": 16,
            "patch": 14,
            "image_size": 224,
            "activation": "gelu",
        },
    ),
    "controlnet": (models.controlnet("sd15"), Kind.CONTROLNET, SD15, {"layout": "diffusers", "context": 768}),
    "controlnet sdxl": (models.controlnet("sdxl"), Kind.CONTROLNET, SDXL, {}),
    "controlnet of its authors": (models.controlnet("sd15", "ldm"), Kind.CONTROLNET, SD15, {"layout": "ldm"}),
}


@pytest.mark.parametrize("name", FOUND)
@pytest.mark.parametrize("form", ["safetensors", "pt"])
def test_what_a_file_is(tmp_path: Path, name: str, form: str) -> None:
    tensors, kind, architecture, facts = FOUND[name]
    path = tmp_path / "anything"
    if form == "safetensors":
        save(path, tensors)
    else:
        torch.save({key: torch.from_numpy(tensor) for key, tensor in tensors.items()}, path)
    found = detect(path)
    assert (found.kind, found.architecture, found.format) == (kind, architecture, form)
    expected = {**facts, "layout": "nested"} if form == "pt" and kind is Kind.IP_ADAPTER else facts
    assert expected.items() <= found.facts.items()
    assert bool(found.undecided) is (architecture is None and kind is not Kind.IMAGE_ENCODER)


def test_the_prediction_that_the_metadata_names(tmp_path: Path) -> None:
    path = save(tmp_path / "x", models.checkpoint("sdxl"), {"modelspec.prediction_type": "v"})
    assert detect(path).facts["prediction_type"] == "v_prediction"


def test_files_of_the_stable_diffusion_webui(tmp_path: Path) -> None:
    embedding = detect(models.a1111_embedding(tmp_path / "e.pt", 768, vectors=5))
    assert (embedding.kind, embedding.architecture, embedding.format) == (Kind.EMBEDDING, SD15, "pt")
    assert embedding.facts == {"layout": "a1111", "vectors": 5}
    network = detect(models.hypernetwork(tmp_path / "h.pt", [768, 320, 640]))
    assert (network.kind, network.architecture, network.format) == (Kind.HYPERNETWORK, SD15, "pt")
    assert network.facts == {"widths": [320, 640, 768], "activation": "relu"}
    assert detect(models.hypernetwork(tmp_path / "xl.pt", [2048])).architecture is SDXL
    either = detect(models.hypernetwork(tmp_path / "either.pt", [640]))
    assert either.architecture is None
    assert "640" in either.undecided


def test_a_nested_ip_adapter(tmp_path: Path) -> None:
    flat = models.ip_adapter(16, 768)
    nested: dict[str, dict[str, torch.Tensor]] = {"image_proj": {}, "ip_adapter": {}}
    for name, tensor in flat.items():
        part, rest = name.split(".", 1)
        nested[part][rest] = torch.from_numpy(tensor)
    torch.save(nested, tmp_path / "x.bin")
    found = detect(tmp_path / "x.bin")
    assert (found.kind, found.facts["layout"], found.facts["tokens"]) == (Kind.IP_ADAPTER, "nested", 4)


def without(tensors: Arrays, beginning: str) -> Arrays:
    return {name: tensor for name, tensor in tensors.items() if not name.startswith(beginning)}


UNET = "model.diffusion_model."
SD2 = models.checkpoint("sd15", context=1024)
REFUSED: dict[str, tuple[Arrays, str]] = {
    "sd2": (
        without(SD2, "cond") | arrays({"cond_stage_model.model.ln_final.weight": (8,)}),
        "a Stable Diffusion 2 model",
    ),
    "sd2 by width": (SD2, "Stable Diffusion 2"),
    "instructions": (models.checkpoint("sd15", channels=8), "an editing model"),
    "depth": (models.checkpoint("sd15", channels=5), "a depth model"),
    "refiner": (
        without(models.checkpoint("sdxl"), "conditioner")
        | arrays({"conditioner.embedders.0.model.ln_final.weight": (8,)}),
        "an SDXL refiner",
    ),
    "crossbreed": (without(models.checkpoint("sdxl"), UNET + "label"), "contradicts itself"),
    "sd15 with sdxl's text": (models.checkpoint("sd15", context=2048), "contradicts itself: built like SD 1.5"),
    "half of playground": (models.checkpoint("sdxl") | arrays({"edm_mean": (1, 4, 1, 1)}), "unknown noise schedule"),
    "distilled sd15": (without(models.checkpoint("sd15"), UNET + "output_blocks.5."), "11 output_blocks"),
    "distilled sdxl": (without(models.checkpoint("sdxl"), UNET + "input_blocks.7.1"), "SSD-1B"),
    "sd3": (arrays({UNET + "joint_blocks.0.x_block.attn.qkv.weight": (4, 4)}), "a Stable Diffusion 3 model"),
    "flux": (arrays({"double_blocks.0.img_attn.qkv.weight": (4, 4)}), "a Flux model"),
    "oft": (arrays({f"{MIDDLE}.oft_blocks": (4, 4)}), "an OFT adapter"),
    "glora": (arrays({f"{MIDDLE}.a1.weight": (4, 4), f"{MIDDLE}.b1.weight": (4, 4)}), "a GLoRA"),
    "flux lora": (lora({"lora_unet_double_blocks_0_img_attn_proj": 4}), "a LoRA for Flux"),
    "dit lora": (lora({"transformer.blocks.0.attn.to_q": 4}, layout="diffusers"), "a LoRA for a diffusion transformer"),
    "sd2 lora": (lora({f"lora_unet_mid_block_attentions_0_{ATTENTION}": 1024}), "a LoRA for Stable Diffusion 2"),
    "sd2 text lora": (lora({"lora_te_text_model_encoder_layers_0_self_attn_q_proj": 1024}), "Stable Diffusion 2"),
    "half a lora": (arrays({"lora_unet_x.lora_down.weight": (2, 8)}), "halves"),
    "unequal ranks": (
        arrays({"lora_unet_x.lora_down.weight": (2, 8), "lora_unet_x.lora_up.weight": (8, 3)}),
        "halves",
    ),
    "lora of both": (
        lora({"lora_unet_down_blocks_0_attentions_0_x": 4, "lora_te2_text_model_x": 4}),
        "parts of SD 1.5 and parts of SDXL",
    ),
    "lora for sd15 with sdxl's text": (
        lora({f"lora_unet_down_blocks_0_attentions_0_{ATTENTION}": 2048}),
        "contradicts itself",
    ),
    "unknown lora": (lora({"base_model.model.x": 4}, layout="diffusers"), "'base_model.model.x' among them, are none"),
    "lora of a transformer": (lora({"diffusion_model.blocks.0.attn.to_q": 4}, layout="diffusers"), "are none of SD"),
    "sd2 embedding": (arrays({"emb_params": (1, 1024)}), "an embedding for Stable Diffusion 2"),
    "sd3 embedding": (arrays({"clip_l": (1, 768), "clip_g": (1, 1280), "t5xxl": (1, 4096)}), "t5xxl"),
    "unequal sdxl embedding": (arrays({"clip_l": (1, 768), "clip_g": (2, 1280)}), "1 vectors for one"),
    "endless embedding": (arrays({"emb_params": (2000, 768)}), r"shape \[2000, 768\]"),
    "vae of sd3": (models.VAE | arrays({"decoder.conv_in.weight": (8, 16, 3, 3)}), "16 latent channels"),
    "half a vae": (without(models.VAE, "encoder"), "without its encoder"),
    "taesd": (arrays({"decoder.layers.1.weight": (4, 4), "encoder.layers.0.weight": (4, 4)}), "a TAESD"),
    "faceid": (
        models.ip_adapter(16, 768) | arrays({"ip_adapter.0.to_k_lora.down.weight": (4, 4)}),
        "an IP-Adapter FaceID",
    ),
    "full face": (
        without(models.ip_adapter(16, 768), "image_proj") | arrays({"image_proj.proj.0.weight": (4, 4)}),
        "neither classic nor plus",
    ),
    "sd2 ip-adapter": (models.ip_adapter(16, 1024), "an IP-Adapter for Stable Diffusion 2"),
    "crossbred ip-adapter": (models.ip_adapter(70, 768), "contradicts itself"),
    "whole clip": (models.image_encoder() | arrays({"text_model.x": (2,)}), "a whole CLIP model"),
    "strange encoder": (models.image_encoder(), "register its folder"),
    "control-lora": (arrays({"lora_controlnet": (), "input_hint_block.0.weight": (16, 3, 3, 3)}), "a Control-LoRA"),
    "union": (
        models.controlnet("sdxl") | arrays({"control_add_embedding.linear_1.weight": (4, 4)}),
        "a ControlNet Union",
    ),
    "four-channel control": (models.controlnet("sd15", hint=4), "4 channels; a picture has 3"),
    "sd2 controlnet": (
        without(models.controlnet("sd15"), "mid_block") | arrays({"mid.attn2.to_k.weight": (32, 1024)}),
        "a ControlNet for Stable Diffusion 2",
    ),
    "something else": (arrays({"a.b": (2, 2), "c.d": (3,)}), "no kind of model that Restyle knows.*a.b"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused_by_name(tmp_path: Path, name: str) -> None:
    tensors, reason = REFUSED[name]
    with pytest.raises(RestyleError, match=reason) as caught:
        detect(save(tmp_path / "sd15.safetensors", tensors))
    assert caught.value.field == "path"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"GGUF\x03\x00\x00\x00" + bytes(99), "a GGUF file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "a Git LFS pointer"),
        (b"<!DOCTYPE html><html>sign in</html>", "a web page"),
        (b"\x89PNG\r\n\x1a\n" + bytes(99), "neither safetensors nor a file of torch.save"),
        (b"", "neither safetensors"),
    ],
)
def test_mistaken_downloads(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(RestyleError, match=reason):
        detect(tmp_path / "model.safetensors")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RestyleError, match=r"gone\.safetensors: there is no such file"):
        detect(tmp_path / "gone.safetensors")


@pytest.mark.parametrize(
    ("widths", "activation", "reason"),
    [
        ([1024], "relu", "a hypernetwork for Stable Diffusion 2"),
        ([320, 2048], "relu", "contradicts itself"),
        ([768], "exec", "unknown activation 'exec'"),
    ],
)
def test_hypernetworks_that_do_not_fit(tmp_path: Path, widths: list[int], activation: str, reason: str) -> None:
    with pytest.raises(RestyleError, match=reason):
        detect(models.hypernetwork(tmp_path / "h.pt", widths, activation=activation))


def test_a_hypernetwork_that_changes_the_width(tmp_path: Path) -> None:
    pair = {"linear.0.weight": torch.zeros(640, 320)}, {"linear.0.weight": torch.zeros(640, 320)}
    torch.save({640: pair}, tmp_path / "h.pt")
    assert detect(tmp_path / "h.pt").kind is Kind.HYPERNETWORK
    torch.save({768: pair}, tmp_path / "h.pt")
    with pytest.raises(RestyleError, match="do not begin and end with it"):
        detect(tmp_path / "h.pt")


def test_numbers_of_any_rank_do_not_confuse_it(tmp_path: Path) -> None:
    """A name that is looked for, with a shape that nobody expects."""
    tensors: Arrays = {name: np.zeros((), np.float16) for name in models.ip_adapter(2, 768)}
    with pytest.raises(RestyleError, match="do not read one context"):
        detect(save(tmp_path / "x", tensors))
