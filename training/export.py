"""Weights as the engine reads them: one safetensors file in float16, the encoder included.

The names are the contract with ``restyle.engines.brush``: ``encoder.<layer>.weight|bias``, ``attention.query|key``,
``attention.sharpness``, ``matching.<layer>``, and of the decoder ``<layer>.weight|bias``, ``<layer>.noise``,
``<layer>.skip.weight`` and ``<layer>.tint.weight|bias``.
"""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from training.checkpoint import Checkpoint
from training.encoder import CONVOLUTIONS, LAYERS, Encoder
from training.network import Brush

FORMAT = "restyle brush 1"
MOST_BYTES = 16_000_000


def tensors(checkpoint: Checkpoint, eye: Encoder) -> dict[str, Tensor]:
    """All of it in float16. ``eye`` must have the checkpoint's scales."""
    network = checkpoint.network()
    found: dict[str, Tensor] = {}
    for name, kernel, bias in zip(CONVOLUTIONS, eye.kernels, eye.biases, strict=True):
        found |= {f"encoder.{name}.weight": kernel, f"encoder.{name}.bias": bias}
    found |= {"attention.query": network.query.weight.flatten(1), "attention.key": network.key.weight.flatten(1)}
    found["attention.sharpness"] = network.sharpness.exp().view(1)
    found |= {f"matching.{name}": amount.sigmoid().flatten() for name, amount in network.matching.items()}
    for name, layer in network.convolutions.items():
        found |= _of_layer(name, layer)
    for name, noise in network.noises.items():
        found[f"{name}.noise"] = noise.flatten()
    for name, layer in network.tints.items():
        found |= _of_layer(f"{name}.tint", layer)
    for name, layer in network.skips.items():
        assert isinstance(layer, nn.Conv2d)
        found[f"{name}.skip.weight"] = layer.weight
    return {name: value.detach().cpu().half().contiguous() for name, value in found.items()}


def write(checkpoint: Checkpoint, eye: Encoder, path: Path) -> int:
    """Write them to ``path``; its size in bytes.

    Raises ValueError where a weight is not finite in float16 or the file would be larger than :data:`MOST_BYTES`.
    """
    found = tensors(checkpoint, eye)
    broken = [name for name, value in found.items() if not bool(value.isfinite().all())]
    if broken:
        raise ValueError(f"not finite in float16: {', '.join(broken)}")
    size = sum(value.numel() * value.element_size() for value in found.values())
    if size > MOST_BYTES - 100_000:
        raise ValueError(
            f"{size} bytes of weights; a file of at most {MOST_BYTES} may be kept. Train a smaller --width"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    told: dict[str, Any] = {
        "steps": checkpoint.step,
        "seconds": round(checkpoint.elapsed),
        "score": round(checkpoint.score, 4),
    }
    told |= {"scales": checkpoint.scales, "balance": checkpoint.balance, "recipe": checkpoint.recipe}
    save_file(found, path, {"format": FORMAT, **{name: json.dumps(value) for name, value in told.items()}})
    return path.stat().st_size


def read(path: Path) -> Checkpoint:
    """The checkpoint that :func:`write` was given, as far as float16 holds it: to go on from weights that ship.

    Raises ValueError where it is the safetensors file of something else.
    """
    with safe_open(path, "pt") as file:
        metadata = file.metadata() or {}
        found = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
    if metadata.get("format") != FORMAT or "scales" not in metadata:
        raise ValueError(f"{path} holds no weights of the brush that training can go on from")
    told = {name: json.loads(metadata[name]) for name in ("scales", "balance", "recipe", "steps", "seconds", "score")}
    channels = {name: len(found[f"encoder.{name}.bias"]) for name in LAYERS}
    width, key = len(found["three0.bias"]), len(found["attention.query"])
    average = {name: _kept(name, value, found) for name, value in Brush(channels, width, key).state_dict().items()}
    return Checkpoint(
        channels,
        width,
        key,
        told["scales"],
        average,
        told["steps"],
        told["seconds"],
        told["score"],
        told["balance"],
        told["recipe"],
    )


def _kept(name: str, like: Tensor, found: dict[str, Tensor]) -> Tensor:
    """What the network calls ``name``, in its shape, from tensors by their names in the file."""
    kind, _, rest = name.partition(".")
    if kind == "sharpness":
        return found["attention.sharpness"].log().view_as(like)
    if kind == "matching":
        return torch.logit(found[name], 1e-4).view_as(like)
    if kind == "noises":
        return found[f"{rest}.noise"].view_as(like)
    if kind in ("tints", "skips"):
        layer, leaf = rest.split(".")
        return found[f"{layer}.{kind[:-1]}.{leaf}"]
    return found[f"attention.{kind}"].view_as(like) if kind in ("query", "key") else found[rest]


def _of_layer(name: str, layer: nn.Module) -> dict[str, Tensor]:
    assert isinstance(layer, nn.Conv2d)
    assert layer.bias is not None
    return {f"{name}.weight": layer.weight, f"{name}.bias": layer.bias}
