"""Edge-aware smoothing, and the colours of a photograph under drawn strokes by means of it.

The only module of this room that needs OpenVINO, so only engines import it.
"""

import numpy as np
from PIL import Image

from restyle.images.luma import luma
from restyle.images.pixels import Floats
from restyle.images.runtime import op, ov

SHRINK = 4


class GuidedFilter:
    """Smooths where the guide is flat and keeps the guide's edges, by a linear model of the guide per neighbourhood.

    He, Sun, Tang: Guided image filtering (ECCV 2010); the models are fitted on a quarter of the size and enlarged, as
    in He and Sun: Fast guided filter (2015). ``radius`` in pixels, a multiple of SHRINK; differences of the guide well
    above ``contrast`` (0..1) count as edges. Serves one thread at a time and uses ``threads`` of its own.
    """

    def __init__(self, threads: int, *, radius: int, contrast: float) -> None:
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
        options: dict[str, str | int] = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": threads,
            # Pinned, the threads of every process share the same cores.
            "ENABLE_CPU_PINNING": False,
            "INFERENCE_PRECISION_HINT": "f32",
        }
        self._request = ov.Core().compile_model(model, "CPU", options).create_infer_request()

    def __call__(self, picture: Floats, guide: Floats) -> Floats:
        """float32 (H, W, 3) smoothed along the edges of ``guide``, float32 (H, W)."""
        size = (guide.shape[1], guide.shape[0])
        planes = np.stack([_shrunk(picture[..., i]) for i in range(3)])[None]
        output = self._request.infer([planes, _shrunk(guide)[None, None]], share_inputs=True)
        slopes, offsets = output[0][0], output[1][0]
        result = np.empty_like(picture)
        for i in range(3):
            result[..., i] = _enlarged(slopes[i], size) * guide + _enlarged(offsets[i], size)
        return result


def _shrunk(plane: Floats) -> Floats:
    """Means of blocks of SHRINK x SHRINK pixels; smaller blocks at the right and lower border."""
    return np.asarray(Image.fromarray(np.ascontiguousarray(plane)).reduce(SHRINK))


def _enlarged(plane: Floats, size: tuple[int, int]) -> Floats:
    return np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.BILINEAR))


def recoloured(drawn: Floats, raw: Floats, follow: GuidedFilter) -> Floats:
    """The photograph's colours under the drawn strokes: luminance-only transfer (Gatys et al. 2017).

    Broad changes of lightness are taken back along the photograph's own edges, since they are colour to the eye.
    ``follow`` is the filter that tells broad from fine. All float32 (H, W, 3), 0..1.
    """
    lightness, target = luma(drawn), luma(raw)
    spread = float(target.std()) / max(float(lightness.std()), 1e-3)
    change = (lightness - lightness.mean()) * min(spread, 1.5) + target.mean() - target
    stacked = np.repeat(change[..., None], 3, axis=2)
    result: Floats = raw + stacked - follow(stacked, target)
    return result
