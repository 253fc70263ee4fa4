"""Tiny random checkpoints of the real topology: every block and layer of SD 1.5 and SDXL, a few channels wide.

They show that wiring, formats, determinism and state are right, and nothing of what a picture should look like.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, ControlNetModel, ControlNetUnionModel, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
)

from restyle.models.kinds import Architecture
from tests.support import ldm
from tests.support.ldm import Tensors as Tensors

NATIVE = 64
"""Side in pixels that the tiny checkpoints' folders say they were trained at."""
LAYERS = 5
HIDDEN = 32
PROJECTION = 32
CLIP_LAYERS = 2
SCHEDULER = {
    "_class_name": "PNDMScheduler",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000,
    "prediction_type": "epsilon",
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "steps_offset": 1,
}
DOWN, CROSS_DOWN, UP, CROSS_UP = "DownBlock2D", "CrossAttnDownBlock2D", "UpBlock2D", "CrossAttnUpBlock2D"
UNETS: dict[Architecture, dict[str, Any]] = {
    Architecture.SD15: {
        "block_out_channels": (32, 32, 64, 64),
        "down_block_types": (CROSS_DOWN, CROSS_DOWN, CROSS_DOWN, DOWN),
        "up_block_types": (UP, CROSS_UP, CROSS_UP, CROSS_UP),
        "cross_attention_dim": HIDDEN,
        "attention_head_dim": 8,
    },
    Architecture.SDXL: {
        "block_out_channels": (32, 32, 32),
        "down_block_types": (DOWN, CROSS_DOWN, CROSS_DOWN),
        "up_block_types": (CROSS_UP, CROSS_UP, UP),
        "cross_attention_dim": 2 * HIDDEN,
        "attention_head_dim": (1, 1, 1),
        "transformer_layers_per_block": (1, 1, 2),
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": PROJECTION + 6 * 256,
    },
}
SCALING = {Architecture.SD15: 0.18215, Architecture.SDXL: 0.13025}
TEXT_ENCODERS: dict[Architecture, dict[str, Any]] = {
    Architecture.SD15: {"text_encoder": CLIPTextModel},
    Architecture.SDXL: {"text_encoder": CLIPTextModel, "text_encoder_2": CLIPTextModelWithProjection},
}


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw weights from ``seed`` and leave torch's own random state alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


@cache
def unet(architecture: Architecture, seed: int = 1) -> Any:
    """Made once, to be read only."""
    with seeded(seed):
        return UNet2DConditionModel(sample_size=NATIVE // 8, **UNETS[architecture]).eval()


@cache
def vae(architecture: Architecture, seed: int = 2) -> Any:
    """Made once, to be read only."""
    with seeded(seed):
        return AutoencoderKL(
            block_out_channels=(32,) * 4,
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            layers_per_block=2,
            latent_channels=4,
            sample_size=NATIVE,
            scaling_factor=SCALING[architecture],
        ).eval()


@cache
def text_encoder(kind: Any, seed: int) -> Any:
    """One CLIP text encoder, made once, to be read only; the one with projection has SDXL's activation."""
    config = CLIPTextConfig(
        vocab_size=49408,
        hidden_size=HIDDEN,
        intermediate_size=2 * HIDDEN,
        num_hidden_layers=LAYERS,
        num_attention_heads=1,
        projection_dim=PROJECTION,
        hidden_act="gelu" if kind is CLIPTextModelWithProjection else "quick_gelu",
        bos_token_id=49406,
        eos_token_id=49407,
    )
    with seeded(seed):
        model = kind(config).eval()
        for name, weight in model.named_parameters():  # the initialisation is too faint to tell one text from another
            if weight.ndim == 2:
                weight.data.mul_(10 if "embedding" in name else 3)
            elif "final_layer_norm.bias" in name:
                weight.data.normal_(0.2, 0.1)
    return model


def folder(path: Path, architecture: Architecture, *, with_vae: bool = True, seed: int = 0) -> Path:
    """A checkpoint in diffusers' folder form."""
    name = "StableDiffusionPipeline" if architecture is Architecture.SD15 else "StableDiffusionXLPipeline"
    index: dict[str, Any] = {"_class_name": name, "_diffusers_version": "0.42.1"}
    unet(architecture, seed + 1).save_pretrained(path / "unet")
    index["unet"] = ["diffusers", "UNet2DConditionModel"]
    if with_vae:
        vae(architecture, seed + 2).save_pretrained(path / "vae")
        index["vae"] = ["diffusers", "AutoencoderKL"]
    for offset, (part, kind) in enumerate(TEXT_ENCODERS[architecture].items()):
        text_encoder(kind, seed + 3 + offset).save_pretrained(path / part)
        index[part] = ["transformers", kind.__name__]
    (path / "scheduler").mkdir()
    (path / "scheduler" / "scheduler_config.json").write_text(json.dumps(SCHEDULER))
    index["scheduler"] = ["diffusers", "PNDMScheduler"]
    (path / "model_index.json").write_text(json.dumps(index))
    return path


def single_file(path: Path, architecture: Architecture, *, with_vae: bool = True, seed: int = 0) -> Path:
    """The same checkpoint as ``folder`` with the same seed, in one file under LDM's names."""
    tensors = ldm.unet(unet(architecture, seed + 1).state_dict())
    if with_vae:
        tensors |= ldm.vae(vae(architecture, seed + 2).state_dict())
    first = text_encoder(CLIPTextModel, seed + 3).state_dict()
    if architecture is Architecture.SD15:
        tensors |= ldm.clip(first, "cond_stage_model.")
    else:
        tensors |= ldm.clip(first, "conditioner.embedders.0.")
        second = text_encoder(CLIPTextModelWithProjection, seed + 4).state_dict()
        tensors |= ldm.open_clip(second, "conditioner.embedders.1.")
    save_file({key: value.contiguous().clone() for key, value in tensors.items()}, path)
    return path


def vae_file(path: Path, architecture: Architecture, seed: int = 20) -> Path:
    """A VAE alone, under LDM's names without prefix."""
    save_file(ldm.vae(vae(architecture, seed).state_dict(), prefix=""), path)
    return path


def image_encoder(path: Path, seed: int = 30) -> Path:
    """A CLIP vision model with projection, as a folder."""
    config = CLIPVisionConfig(
        hidden_size=HIDDEN,
        intermediate_size=2 * HIDDEN,
        num_hidden_layers=CLIP_LAYERS,
        num_attention_heads=2,
        image_size=32,
        patch_size=8,
        projection_dim=PROJECTION,
    )
    with seeded(seed):
        model = CLIPVisionModelWithProjection(config).eval()
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.data.mul_(5)
    model.save_pretrained(path)
    return path


def controlnet(path: Path, architecture: Architecture) -> Path:
    """A ControlNet as a folder."""
    controlnet_network(architecture).save_pretrained(path)
    return path


def controlnet_network(architecture: Architecture, seed: int = 40) -> Any:
    """A ControlNet that acts: its closing convolutions, zero at the start of training, are not."""
    options = dict(UNETS[architecture])
    options.pop("up_block_types")
    with seeded(seed):
        model = ControlNetModel(conditioning_embedding_out_channels=(8, 8, 16, 16), **options).eval()
        for name, weight in model.named_parameters():
            if "controlnet_" in name:
                weight.data.normal_(std=0.2 if "cond_embedding" in name else 0.05)
    return model


def controlnet_union(path: Path, tasks: int = 6, seed: int = 41) -> Path:
    """A ControlNet for SDXL that serves several controls, as a folder."""
    options = dict(UNETS[Architecture.SDXL])
    options.pop("up_block_types")
    width = options["block_out_channels"][0]
    with seeded(seed):
        model = ControlNetUnionModel(
            conditioning_embedding_out_channels=(8, 8, 16, 16),
            num_control_type=tasks,
            num_trans_channel=width,
            num_proj_channel=width,
            **options,
        ).eval()
        for name, weight in model.named_parameters():
            if name.startswith(("controlnet_", "spatial_ch_projs")):
                weight.data.normal_(std=0.2 if "cond_embedding" in name or "spatial" in name else 0.05)
    model.save_pretrained(path)
    return path


def edit(path: Path, **changes: Any) -> None:
    """Change values of a JSON file."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
