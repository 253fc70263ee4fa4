"""The brush's weights: one safetensors file in float16, the encoder included, made by ``python -m training``."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from restyle.engines.brush.family import WEIGHTS
from restyle.images.pixels import Floats
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

FORMAT = "restyle brush 1"
CONVOLUTIONS = ("1_1", "1_2", "2_1", "2_2", "3_1", "3_2", "3_3", "4_1")
LAYERS = ("1_1", "2_1", "3_1", "4_1")
"""The layers of the encoder that are looked at."""
COMPARED = ("2_1", "3_1", "4_1")
"""Those by which places are compared."""
CHANNELS = (64, 128, 256, 512)
"""Of the encoder's four blocks, in the brush that is shipped."""
NOISES = {"four": 8, "three0": 4, "three1": 4, "half0": 4, "half1": 2, "half2": 2, "full0": 1}
"""The decoder's layers that are given noise, in order, and how many pixels one of their places covers."""


@dataclass(frozen=True, slots=True)
class Weights:
    """``tensors``: name -> float32; kernels are (out, in, k, k), what stands per channel is (channels,)."""

    tensors: Mapping[str, Floats]

    def __getitem__(self, name: str) -> Floats:
        return self.tensors[name]

    @property
    def layers(self) -> dict[str, int]:
        """The channels of each of :data:`LAYERS`."""
        return {name: len(self.tensors[f"encoder.{name}.bias"]) for name in LAYERS}


def part(layers: Mapping[str, int], name: str) -> slice:
    """Where a layer's channels stand among those of all layers."""
    names = list(layers)
    start = sum(layers[each] for each in names[: names.index(name)])
    return slice(start, start + layers[name])


def shapes(width: int, key: int, channels: Sequence[int] = CHANNELS) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor of a brush of that width whose places are compared by ``key`` numbers."""
    found: dict[str, tuple[int, ...]] = {}
    layers = dict(zip(LAYERS, channels, strict=True))
    inner = 3
    for name in CONVOLUTIONS:
        outer = layers[f"{name[0]}_1"]
        found |= {f"encoder.{name}.weight": (outer, inner, 3, 3), f"encoder.{name}.bias": (outer,)}
        inner = outer
    compared = sum(layers[name] for name in COMPARED)
    found |= {"attention.query": (key, compared), "attention.key": (key, compared), "attention.sharpness": (1,)}
    found |= {f"matching.{name}": (layers[name],) for name in ("3_1", "4_1")}
    half, quarter = width // 2, width // 4
    for name, outer, inner, size in (
        ("four", width, layers["4_1"], 3),
        ("join", width, width + layers["3_1"], 1),
        ("three0", width, width, 3),
        ("three1", width, width, 3),
        ("half0", half, width, 3),
        ("half1", half, half, 3),
        ("half1.tint", 2 * half, 2 * layers["2_1"], 1),
        ("half1.skip", half, layers["2_1"], 1),
        ("half2", quarter, half, 3),
        ("half2.tint", 2 * quarter, 2 * layers["1_1"], 1),
        ("full0", quarter, quarter, 3),
        ("full0.skip", quarter, 3, 3),
        ("full1", 3, quarter, 3),
    ):
        found[f"{name}.weight"] = (outer, inner, size, size)
        if not name.endswith(".skip"):
            found[f"{name}.bias"] = (outer,)
        if name in NOISES:
            found[f"{name}.noise"] = (outer,)
    return found


def read_weights(path: Path, sha256: str = WEIGHTS.sha256) -> Weights:
    """The weights in ``path``, whose hash is ``sha256``; an empty one is not compared.

    Raises RestyleError 5101, with what is wrong, where the file is missing or not the one that is meant.
    """
    if not path.is_file():
        raise RestyleError(Code.ENGINE_FAILED, f"the brush's weights are missing: {path}")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if sha256 and found != sha256:
        raise RestyleError(
            Code.ENGINE_FAILED, f"{path} has the SHA-256 {found}, not {sha256}: install this release of restyle again"
        )
    try:
        with safe_open(path, "np") as file:
            metadata = file.metadata() or {}
            tensors = {name: np.asarray(file.get_tensor(name), np.float32) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise RestyleError(Code.ENGINE_FAILED, f"{path} is no safetensors file: {error}") from error
    if metadata.get("format") != FORMAT:
        raise RestyleError(Code.ENGINE_FAILED, f"{path} holds no weights of the brush ({FORMAT})")
    return Weights(_checked(path, tensors))


def _checked(path: Path, tensors: dict[str, Floats]) -> dict[str, Floats]:
    """The tensors as :func:`shapes` has them."""
    width, key = (len(tensors.get(name, ())) for name in ("three0.bias", "attention.query"))
    wanted = shapes(width, key, [len(tensors.get(f"encoder.{name}.bias", ())) for name in LAYERS])
    if not width or not key or set(wanted) != set(tensors):
        odd = sorted(set(wanted) ^ set(tensors))
        raise RestyleError(Code.ENGINE_FAILED, f"{path} lacks tensors of the brush or has others: {', '.join(odd[:5])}")
    for name, shape in wanted.items():
        if tensors[name].shape != shape:
            raise RestyleError(Code.ENGINE_FAILED, f"{path}: {name} has the shape {tensors[name].shape}, not {shape}")
        if not np.isfinite(tensors[name]).all():
            raise RestyleError(Code.ENGINE_FAILED, f"{path}: {name} has values that are not finite")
    return tensors
