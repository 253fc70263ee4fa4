"""Weights as the engine reads them: one safetensors file in float16, the encoder included.

The names are the contract with ``restyle.engines.brush``: ``encoder.<layer>.weight|bias``, ``attention.query|key``,
``attention.sharpness``, ``matching.<layer>``, and of the decoder ``<layer>.weight|bias``, ``<layer>.noise`` and
``<layer>.tint.weight|bias``.
"""

from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor, nn

from training.checkpoint import Checkpoint
from training.encoder import CONVOLUTIONS, Encoder

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
    metadata = {"format": FORMAT, "steps": str(checkpoint.step), "score": f"{checkpoint.score:.4f}"}
    save_file(found, path, metadata)
    return path.stat().st_size


def _of_layer(name: str, layer: nn.Module) -> dict[str, Tensor]:
    assert isinstance(layer, nn.Conv2d)
    assert layer.bias is not None
    return {f"{name}.weight": layer.weight, f"{name}.bias": layer.bias}
