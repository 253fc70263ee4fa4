"""Resizing, edge-aware smoothing and colour, on float32 pictures (H, W, 3), 0..1, sRGB."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import openvino as ov
import openvino.opset13 as op
from PIL import Image

from restyle.engines.painter.weights import Array

Moments = npt.NDArray[np.float64]

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""ITU-R BT.601."""
SHRINK = 4


def resized(picture: Array, width: int, height: int) -> Array:
    """float32 (height, width, C); Lanczos when shrinking, bicubic when enlarging. Values may leave 0..1 a little."""
    if picture.shape[:2] == (height, width):
        return picture
    kernel = Image.Resampling.LANCZOS if width < picture.shape[1] else Image.Resampling.BICUBIC
    planes = [Image.fromarray(picture[..., i]).resize((width, height), kernel) for i in range(picture.shape[2])]
    return np.stack([np.asarray(plane) for plane in planes], axis=-1)


def luma(picture: Array) -> Array:
    """float32 (H, W)."""
    result: Array = picture @ LUMA
    return result


class GuidedFilter:
    """Smooths where the guide is flat and keeps the guide's edges, by a linear model of the guide per neighbourhood.

    He, Sun, Tang: Guided image filtering (ECCV 2010); the models are fitted on a quarter of the size and enlarged, as
    in He and Sun: Fast guided filter (2015). ``radius`` in pixels, a multiple of SHRINK; differences of the guide well
    above ``contrast`` (0..1) count as edges.
    """

    def __init__(self, core: ov.Core, options: dict[str, str | int], *, radius: int, contrast: float) -> None:
        picture = op.parameter([1, 3, -1, -1], np.float32, name="picture")
        guide = op.parameter([1, 1, -1, -1], np.float32, name="guide")
        reach = radius // SHRINK

        def mean(x: ov.Node) -> ov.Node:
            return op.avg_pool(x, [1, 1], [reach] * 2, [reach] * 2, [2 * reach + 1] * 2, True)

        guide_mean, picture_mean = mean(guide), mean(picture)
        variance = op.relu(op.subtract(mean(op.multiply(guide, guide)), op.multiply(guide_mean, guide_mean)))
        product = mean(op.multiply(guide, picture))
        covariance = op.subtract(product, op.multiply(guide_mean, picture_mean))
        slope = op.divide(covariance, op.add(variance, op.constant(np.float32(contrast * contrast))))
        offset = op.subtract(picture_mean, op.multiply(slope, guide_mean))
        results = [op.result(mean(slope)), op.result(mean(offset))]
        model = ov.Model(results, [picture, guide], "guided_filter")
        exact = {**options, "INFERENCE_PRECISION_HINT": "f32"}
        self._request = core.compile_model(model, "CPU", exact).create_infer_request()

    def __call__(self, picture: Array, guide: Array) -> Array:
        """float32 (H, W, 3) smoothed along the edges of ``guide``, float32 (H, W)."""
        size = (guide.shape[1], guide.shape[0])
        planes = np.stack([_shrunk(picture[..., i]) for i in range(3)])[None]
        output = self._request.infer([planes, _shrunk(guide)[None, None]], share_inputs=True)
        slopes, offsets = output[0][0], output[1][0]
        result = np.empty_like(picture)
        for i in range(3):
            result[..., i] = _enlarged(slopes[i], size) * guide + _enlarged(offsets[i], size)
        return result


def _shrunk(plane: Array) -> Array:
    """Means of blocks of SHRINK x SHRINK pixels; smaller blocks at the right and lower border."""
    return np.asarray(Image.fromarray(np.ascontiguousarray(plane)).reduce(SHRINK))


def _enlarged(plane: Array, size: tuple[int, int]) -> Array:
    return np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.BILINEAR))


def recoloured(drawn: Array, raw: Array, follow: GuidedFilter) -> Array:
    """The photograph's colours under the drawn strokes: luminance-only transfer (Gatys et al. 2017).

    Broad changes of lightness are taken back along the photograph's own edges, since they are colour to the eye.
    ``follow`` is the filter that tells broad from fine.
    """
    lightness, target = luma(drawn), luma(raw)
    spread = float(target.std()) / max(float(lightness.std()), 1e-3)
    change = (lightness - lightness.mean()) * min(spread, 1.5) + target.mean() - target
    stacked = np.repeat(change[..., None], 3, axis=2)
    result: Array = raw + stacked - follow(stacked, target)
    return result


@dataclass(frozen=True, slots=True)
class Palette:
    """Mean (3,) and covariance (3, 3) of a picture's colours, float64."""

    mean: Moments
    covariance: Moments


def palette(picture: Array) -> Palette:
    """The palette of every other pixel of every other row: colours need no more."""
    pixels = np.ascontiguousarray(picture[::2, ::2]).reshape(-1, 3)
    mean = pixels.mean(0)
    centred = pixels - mean
    # A flat picture has no covariance to stretch; this floor keeps its noise from being blown up.
    covariance = (centred.T @ centred) / len(pixels) + np.float32(1e-4) * np.eye(3, dtype=np.float32)
    return Palette(mean.astype(np.float64), covariance.astype(np.float64))


def colour_mapped(picture: Array, want: Palette) -> Array:
    """The linear map that gives ``picture`` another palette with the least change.

    Monge-Kantorovich: Pitié and Kokaram, The linear Monge-Kantorovitch linear colour mapping (CVMP 2007).
    """
    have = palette(picture)
    root, inverse_root = _power(have.covariance, 0.5), _power(have.covariance, -0.5)
    mapping = inverse_root @ _power(root @ want.covariance @ root, 0.5) @ inverse_root
    offset = want.mean - have.mean @ mapping.T
    return picture @ mapping.T.astype(np.float32) + offset.astype(np.float32)


def _power(matrix: Moments, exponent: float) -> Moments:
    values, vectors = np.linalg.eigh(matrix)
    result: Moments = (vectors * np.maximum(values, 1e-12) ** exponent) @ vectors.T
    return result
