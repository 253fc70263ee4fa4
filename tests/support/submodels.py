"""Tiny random sub-models for the tiny checkpoints: LoRAs, embeddings, hypernetworks, IP-Adapters."""

import re
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from restyle.models.kinds import Architecture
from tests.support.checkpoints import HIDDEN, PROJECTION, TEXT_ENCODERS, Tensors, seeded, text_encoder, unet

RANK = 4
ATTENTION = re.compile(r".*\.(to_q|to_k|to_v|to_out\.0)$")
TEXT = re.compile(r".*\.(q_proj|k_proj|v_proj|out_proj)$")


def lora(
    path: Path,
    architecture: Architecture,
    *,
    seed: int = 100,
    layout: str = "kohya",
    text: bool = True,
    scale: float = 0.2,
) -> Path:
    """A LoRA on all attention of the UNet and, if ``text``, of the text encoders."""
    parts: list[tuple[str, str, torch.nn.Module]] = [("unet", "lora_unet", unet(architecture))]
    if text:
        two = architecture is Architecture.SDXL
        for index, (name, kind) in enumerate(TEXT_ENCODERS[architecture].items()):
            parts.append((name, f"lora_te{index + 1}" if two else "lora_te", text_encoder(kind, 3)))
    state: Tensors = {}
    with seeded(seed):
        for name, kohya, network in parts:
            for place, module in network.named_modules():
                if not isinstance(module, torch.nn.Linear) or not (ATTENTION if name == "unet" else TEXT).match(place):
                    continue
                # such files name text encoders as transformers did before its version 5.6
                place = place if name == "unet" or place.startswith("text_model.") else f"text_model.{place}"
                down = torch.randn(RANK, module.in_features) * scale
                up = torch.randn(module.out_features, RANK) * scale
                if layout == "kohya":
                    stem = f"{kohya}_{place.replace('.', '_')}"
                    state |= {f"{stem}.lora_down.weight": down, f"{stem}.lora_up.weight": up}
                    state[f"{stem}.alpha"] = torch.tensor(float(RANK))
                else:
                    state |= {f"{name}.{place}.lora_A.weight": down, f"{name}.{place}.lora_B.weight": up}
    save_file(state, path)
    return path


def embedding(path: Path, architecture: Architecture, *, seed: int = 200, vectors: int = 2) -> Path:
    """``.pt`` in the Stable Diffusion WebUI's form, or ``.safetensors``; for SDXL only the latter exists."""
    with seeded(seed):
        tensors = [torch.randn(vectors, HIDDEN) * 3 for _ in TEXT_ENCODERS[architecture]]
    if architecture is Architecture.SDXL:
        save_file(dict(zip(("clip_l", "clip_g"), tensors, strict=True)), path)
    elif path.suffix == ".pt":
        torch.save({"string_to_token": {"*": 265}, "string_to_param": {"*": tensors[0]}, "name": path.stem}, path)
    else:
        save_file({"emb_params": tensors[0]}, path)
    return path


def hypernetwork(path: Path, *, seed: int = 300, widths: tuple[int, ...] = (32, 64), **settings: Any) -> Path:
    """With layer normalisation and dropout, whose indices leave gaps, and the settings given."""
    content: dict[Any, Any] = {"name": path.stem, "step": 10, "layer_structure": [1, 2, 1], "is_layer_norm": True}
    content |= {"activation_func": "relu", "use_dropout": True, "activate_output": False, **settings}
    with seeded(seed):
        for width in widths:
            content[width] = tuple(
                {
                    "linear.0.weight": torch.randn(2 * width, width) * 0.2,
                    "linear.0.bias": torch.randn(2 * width) * 0.2,
                    "linear.2.weight": torch.ones(2 * width),
                    "linear.2.bias": torch.zeros(2 * width),
                    "linear.4.weight": torch.randn(width, 2 * width) * 0.2,
                    "linear.4.bias": torch.randn(width) * 0.2,
                }
                for _ in "kv"
            )
    torch.save(content, path)
    return path


def ip_adapter(path: Path, architecture: Architecture, *, seed: int = 400, plus: bool = False) -> Path:
    """A classic adapter, or one that reads hidden states through a resampler."""
    network = unet(architecture)
    context = int(network.config.cross_attention_dim)
    state: Tensors = {}
    with seeded(seed):
        number = 1
        for name, module in network.named_modules():
            if not name.endswith("attn2"):
                continue
            for part in ("k", "v"):
                state[f"ip_adapter.{number}.to_{part}_ip.weight"] = torch.randn(module.to_k.out_features, context) * 0.3
            number += 2
        if plus:
            state |= {f"image_proj.{name}": value for name, value in _resampler(context).items()}
        else:
            state["image_proj.proj.weight"] = torch.randn(4 * context, PROJECTION) * 0.3
            state["image_proj.proj.bias"] = torch.zeros(4 * context)
            state["image_proj.norm.weight"] = torch.ones(context)
            state["image_proj.norm.bias"] = torch.zeros(context)
    save_file(state, path)
    return path


def _resampler(context: int, depth: int = 4, tokens: int = 4, inner: int = 64) -> Tensors:
    """The tensors of the resampler that "plus" adapters bring, by its authors' names."""
    state = {
        "latents": torch.randn(1, tokens, inner),
        "proj_in.weight": torch.randn(inner, HIDDEN) * 0.2,
        "proj_in.bias": torch.zeros(inner),
        "proj_out.weight": torch.randn(context, inner) * 0.2,
        "proj_out.bias": torch.zeros(context),
        "norm_out.weight": torch.ones(context),
        "norm_out.bias": torch.zeros(context),
    }
    for layer in range(depth):
        for norm in ("0.norm1", "0.norm2", "1.0"):
            state[f"layers.{layer}.{norm}.weight"] = torch.ones(inner)
            state[f"layers.{layer}.{norm}.bias"] = torch.zeros(inner)
        state[f"layers.{layer}.0.to_q.weight"] = torch.randn(inner, inner) * 0.2
        state[f"layers.{layer}.0.to_kv.weight"] = torch.randn(2 * inner, inner) * 0.2
        state[f"layers.{layer}.0.to_out.weight"] = torch.randn(inner, inner) * 0.2
        state[f"layers.{layer}.1.1.weight"] = torch.randn(4 * inner, inner) * 0.2
        state[f"layers.{layer}.1.3.weight"] = torch.randn(inner, 4 * inner) * 0.2
    return state
