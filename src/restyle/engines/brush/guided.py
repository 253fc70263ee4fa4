"""Guided filters (He, Sun, Tang, Guided Image Filtering, ECCV 2010) before and behind the networks.

Before them, a photograph guides itself: grain, blocks of JPEG and steps of 8 bits, which nobody sees, would be drawn as
strokes wherever the reference has some. Behind them, the photograph guides the coarse colours of what is drawn: relu4_1
sees an outline from 26 pixels away, and draws there what differs from the rest of the sky, a halo.
"""

import numpy as np
import numpy.typing as npt
from PIL import Image

from restyle.engines.brush import graph
from restyle.engines.brush.encoder import STRIDE
from restyle.images.pixels import Floats
from restyle.images.runtime import op, ov

CALM_REACH = 6
"""Places that are seen to each side."""
CONTRAST = 0.05
"""Differences that are no edge."""
FINE_REACH, FAINT = 3, 0.02
"""Pixels that are seen to each side, and differences that nobody sees."""

Doubles = npt.NDArray[np.float64]


class Smoothing:
    """``core`` and ``options`` come from the engine."""

    def __init__(self, core: ov.Core, options: graph.Options) -> None:
        picture = op.parameter([1, -1, -1, 3], np.float32, name="picture")
        x = op.transpose(picture, op.constant(np.array([0, 3, 1, 2], np.int64)))

        def around(y: ov.Node) -> ov.Node:
            return op.avg_pool(y, [1, 1], [FINE_REACH] * 2, [FINE_REACH] * 2, [2 * FINE_REACH + 1] * 2, True)

        mean = around(x)
        variance = op.relu(op.subtract(around(op.multiply(x, x)), op.multiply(mean, mean)))
        variance = op.reduce_mean(variance, op.constant(np.array([1], np.int64)), True)
        slope = op.divide(variance, op.add(variance, op.constant(np.float32(FAINT**2))))
        offset = op.subtract(mean, op.multiply(slope, mean))
        smooth = op.add(op.multiply(around(slope), x), around(offset))
        turned = op.transpose(smooth, op.constant(np.array([0, 2, 3, 1], np.int64)))
        exact = {**options, "INFERENCE_PRECISION_HINT": "f32"}
        self._request = graph.compiled(core, [turned], [picture], "smoothing", exact)

    def __call__(self, picture: Floats) -> Floats:
        """float32 (H, W, 3), 0..1, without what is faint."""
        smooth = np.array(self._request.infer([picture[None]], share_inputs=True, share_outputs=True)[0][0])
        graph.give_back(self._request)
        clipped: Floats = np.clip(smooth, 0, 1)
        return clipped


def calmed(drawn: Floats, photograph: Floats) -> Floats:
    """``drawn`` with coarse colours that are locally affine in the photograph's.

    Both float32 (H, W, 3), in whole places.
    """
    ours, guide = (_places(each) for each in (drawn, photograph))
    return drawn + enlarged((guided(ours, guide, CALM_REACH) - ours).astype(np.float32), drawn.shape[1], drawn.shape[0])


def enlarged(change: Floats, width: int, height: int) -> Floats:
    """float32 (h, w, 3) at that size, without overshooting."""
    size = (width, height)
    planes = [np.asarray(Image.fromarray(change[..., i]).resize(size, Image.Resampling.BILINEAR)) for i in range(3)]
    return np.stack(planes, 2)


def _places(picture: Floats) -> Doubles:
    """The mean colour of each place."""
    height, width = (edge // STRIDE for edge in picture.shape[:2])
    means: Doubles = picture.reshape(height, STRIDE, width, STRIDE, 3).mean((1, 3), np.float64)
    return means


def guided(x: Floats | Doubles, guide: Doubles, reach: int) -> Doubles:
    """The guided filter of (h, w, 3) by another picture of that shape, ``reach`` pixels to each side; both small."""

    def around(y: Floats | Doubles) -> Doubles:
        return _around(y, reach)

    mean_x, mean_guide = around(x), around(guide)
    squares = around(_products(guide, guide)) - _products(mean_guide, mean_guide)
    shared = around(_products(guide, x)) - _products(mean_guide, mean_x)
    slopes = np.linalg.solve(squares + CONTRAST**2 * np.eye(3), shared).astype(np.float64)
    offset = mean_x - _applied(slopes, mean_guide)
    return _applied(around(slopes), guide) + around(offset)


def _around(x: Floats | Doubles, reach: int) -> Doubles:
    """Means over the pixels (h, w, ...) up to ``reach`` from each."""
    means = np.asarray(x, np.float64)
    for axis in (0, 1):
        length = means.shape[axis]
        sums = np.insert(np.cumsum(means, axis), 0, 0, axis)
        first, last = (np.clip(np.arange(length) + away, 0, length) for away in (-reach, reach + 1))
        counts = (last - first).reshape([-1 if each == axis else 1 for each in range(means.ndim)])
        means = (np.take(sums, last, axis) - np.take(sums, first, axis)) / counts
    return means


def _products(first: Doubles, second: Floats | Doubles) -> Doubles:
    """Every colour of (h, w, 3) with every one of the other, (h, w, 3, 3)."""
    return first[..., :, None] * second[..., None, :]


def _applied(slopes: Doubles, guide: Doubles) -> Doubles:
    found: Doubles = np.einsum("hwgd,hwg->hwd", slopes, guide)
    return found
