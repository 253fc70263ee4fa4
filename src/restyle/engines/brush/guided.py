"""Coarse colours that follow the photograph's: what keeps halos away.

relu4_1 sees an outline from 26 pixels away, and what is drawn there differs from the rest of the sky. He, Sun, Tang,
Guided Image Filtering (ECCV 2010), by all three colours of the photograph.
"""

import numpy as np
import numpy.typing as npt
from PIL import Image

from restyle.engines.brush.encoder import STRIDE
from restyle.images.pixels import Floats

REACH, CONTRAST = 4, 0.05
"""Places that are seen to each side, and differences that are no edge."""

Doubles = npt.NDArray[np.float64]


def calmed(drawn: Floats, photograph: Floats) -> Floats:
    """``drawn`` with coarse colours that are locally affine in the photograph's.

    Both float32 (H, W, 3), in whole places.
    """
    ours, guide = (_places(each) for each in (drawn, photograph))
    change = (_guided(ours, guide) - ours).astype(np.float32)
    size = (drawn.shape[1], drawn.shape[0])
    planes = [np.asarray(Image.fromarray(change[..., i]).resize(size, Image.Resampling.BILINEAR)) for i in range(3)]
    result: Floats = drawn + np.stack(planes, 2)
    return result


def _places(picture: Floats) -> Doubles:
    """The mean colour of each place."""
    height, width = (edge // STRIDE for edge in picture.shape[:2])
    means: Doubles = picture.reshape(height, STRIDE, width, STRIDE, 3).mean((1, 3), np.float64)
    return means


def _guided(x: Doubles, guide: Doubles) -> Doubles:
    """The guided filter of (h, w, 3) by another picture of that shape."""
    mean_x, mean_guide = _around(x), _around(guide)
    squares = _around(_products(guide, guide)) - _products(mean_guide, mean_guide)
    shared = _around(_products(guide, x)) - _products(mean_guide, mean_x)
    slopes = np.linalg.solve(squares + CONTRAST**2 * np.eye(3), shared).astype(np.float64)
    offset = mean_x - _applied(slopes, mean_guide)
    return _applied(_around(slopes), guide) + _around(offset)


def _around(x: Doubles) -> Doubles:
    """Means over the places (h, w, ...) that are seen from each."""
    for axis in (0, 1):
        length = x.shape[axis]
        sums = np.insert(np.cumsum(x, axis), 0, 0, axis)
        first, last = (np.clip(np.arange(length) + reach, 0, length) for reach in (-REACH, REACH + 1))
        counts = (last - first).reshape([-1 if each == axis else 1 for each in range(x.ndim)])
        x = (np.take(sums, last, axis) - np.take(sums, first, axis)) / counts
    return x


def _products(first: Doubles, second: Doubles) -> Doubles:
    """Every colour of (h, w, 3) with every one of the other, (h, w, 3, 3)."""
    return first[..., :, None] * second[..., None, :]


def _applied(slopes: Doubles, guide: Doubles) -> Doubles:
    found: Doubles = np.einsum("hwgd,hwg->hwd", slopes, guide)
    return found
