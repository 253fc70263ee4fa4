"""A brush of the real form with a narrow decoder and random weights: small, whatever those that ship were taught."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from safetensors.numpy import save_file

from restyle.engines.base import Machine
from restyle.engines.brush.engine import Brush
from restyle.engines.brush.weights import FORMAT, Weights, read_weights, shapes
from restyle.images.pixels import Floats

WIDTH, KEY = 16, 8
CHANNELS = (8, 12, 16, 24)


def random_tensors(
    seed: int = 0, width: int = WIDTH, key: int = KEY, channels: Sequence[int] = CHANNELS
) -> dict[str, Floats]:
    """Every tensor, so scaled that activations neither vanish nor grow and pictures are about 0..1."""
    random = np.random.default_rng(seed)
    found = {}
    for name, shape in shapes(width, key, channels).items():
        spread = (2 / np.prod(shape[1:])) ** 0.5 if len(shape) > 1 else 0.05
        if ".tint" in name or name == "full1.weight":
            spread /= 8
        found[name] = random.normal(0, spread, shape).astype(np.float32)
    found["attention.sharpness"] = np.array([12], np.float32)
    for layer in ("3_1", "4_1"):
        found[f"matching.{layer}"] = random.uniform(0.2, 0.8, found[f"matching.{layer}"].shape).astype(np.float32)
    return found


def write(path: Path, tensors: dict[str, Floats], form: str = FORMAT) -> Path:
    """As ``python -m training export`` writes them."""
    save_file({name: value.astype(np.float16) for name, value in tensors.items()}, path, {"format": form})
    return path


def random_weights(seed: int = 0) -> Weights:
    with TemporaryDirectory() as folder:
        return read_weights(write(Path(folder) / "brush.safetensors", random_tensors(seed)), sha256="")


def load(machine: Machine) -> Brush:
    return Brush(random_weights(), machine.threads)
