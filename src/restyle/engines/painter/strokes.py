"""Strokes that stay strokes in large pictures: what is drawn is smoothed along itself, never across.

The network draws at the scale of pixels whatever the size, so the finest levels of a large picture come out as grain.
Smoothed along the directions in which the drawing runs, grain becomes brush marks, and edges stay where they are.
"""

import math

import numpy as np

from restyle.images.luma import luma
from restyle.images.pixels import Floats
from restyle.images.resize import resized
from restyle.images.runtime import op, ov

REACH = 2.0
"""How far each way along a stroke is looked, in its spreads."""
STEPS = 4
"""Places looked at on each side within that reach."""
FIELD_SIDE = 512
"""Square root of the pixels at which directions are found: those of strokes, not of the grain in them."""
FIELD_CELL = 3
"""Pixels of that size that share a direction."""
ROWS = 64
"""Rows made at a time, which bounds memory."""
SAMPLING = {"align_corners": True, "mode": "bilinear", "padding_mode": "reflection"}


class Strokes:
    """Serves one thread at a time and uses ``threads`` of its own."""

    def __init__(self, threads: int) -> None:
        picture = op.parameter([1, -1, -1, -1], np.float32, name="picture")
        tensor = op.parameter([2, -1, -1], np.float32, name="tensor")
        places = op.parameter([-1, -1, 2], np.float32, name="places")
        pixel = op.parameter([2], np.float32, name="pixel")
        one = op.constant(np.float32(1))
        # The minor eigenvector: half the angle of (Jxx - Jyy, 2 Jxy), turned by a right angle.
        cosine, sine = (op.gather(tensor, op.constant(np.int64(i)), op.constant(np.int64(0))) for i in (0, 1))
        length = op.sqrt(op.add(op.multiply(cosine, cosine), op.multiply(sine, sine)))
        cosine = op.divide(cosine, op.add(length, op.constant(np.float32(1e-12))))
        half = op.constant(np.float32(0.5))
        down = op.sqrt(op.relu(op.multiply(half, op.add(one, cosine))))
        left = op.multiply(op.sign(sine), op.sqrt(op.relu(op.multiply(half, op.subtract(one, cosine)))))
        last = _ints(2)
        along = op.concat([op.unsqueeze(op.negative(left), last), op.unsqueeze(down, last)], 2)
        along = op.multiply(along, pixel)
        offsets = np.linspace(-REACH, REACH, 2 * STEPS + 1, dtype=np.float32)
        weights = np.exp(-0.5 * offsets * offsets)
        # All places of a band in one call, one offset below the other.
        shifts = op.multiply(op.constant(offsets.reshape(-1, 1)), op.reshape(along, _ints(1, -1), False))
        at = op.add(op.reshape(places, _ints(1, -1), False), shifts)
        width = op.gather(op.shape_of(places), _ints(1), op.constant(np.int64(0)))
        found = op.grid_sample(picture, op.reshape(at, op.concat([_ints(1, -1), width, _ints(2)], 0), False), SAMPLING)
        apart = op.reshape(found, op.concat([_ints(3, len(offsets), -1), width], 0), False)
        parts = op.multiply(apart, op.constant((weights / weights.sum()).reshape(1, -1, 1, 1)))
        total = op.reduce_sum(parts, _ints(1), False)
        model = ov.Model([op.result(total)], [picture, tensor, places, pixel], "strokes")
        options: dict[str, str | int] = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": threads,
            # Pinned, the threads of every process share the same cores.
            "ENABLE_CPU_PINNING": False,
            "INFERENCE_PRECISION_HINT": "f32",
        }
        self._request = ov.Core().compile_model(model, "CPU", options).create_infer_request()

    def __call__(self, picture: Floats, guide: Floats, spread: float) -> Floats:
        """``picture`` smoothed along the strokes of ``guide``, both float32 (H, W, 3).

        By a Gaussian of ``spread`` pixels on straight lines along the minor eigenvectors of the smoothed structure
        tensor: the smoothing half of Kyprianidis and Kang, Image and video abstraction by coherence-enhancing
        filtering (2011).
        """
        height, width, _ = picture.shape
        tensor = np.ascontiguousarray(_tensor(guide).transpose(2, 0, 1))
        planes = np.ascontiguousarray(picture.transpose(2, 0, 1))[None]
        across = np.linspace(-1, 1, width, dtype=np.float32)
        down = np.linspace(-1, 1, height, dtype=np.float32)
        pixel = np.array([2 * spread / (width - 1), 2 * spread / (height - 1)], np.float32)
        result = np.empty_like(picture)
        for top in range(0, height, ROWS):
            rows = slice(top, top + ROWS)
            places = np.stack(np.broadcast_arrays(across[None], down[rows, None]), axis=-1)
            band = np.ascontiguousarray(tensor[:, rows])
            output = self._request.infer([planes, band, places, pixel], share_inputs=True, share_outputs=True)[0]
            result[rows] = output.transpose(1, 2, 0)
        return result


def _tensor(guide: Floats) -> Floats:
    """Of the structure tensor of luma, smoothed: (Jxx - Jyy, 2 Jxy), float32 (H, W, 2)."""
    height, width, _ = guide.shape
    scale = FIELD_SIDE / math.sqrt(height * width)
    rows, columns = (max(2, round(edge * scale)) for edge in (height, width))
    down, across = np.gradient(luma(resized(guide, columns, rows)))
    tensor: Floats = np.stack([across * across - down * down, 2 * across * down], axis=-1)
    cells: Floats = resized(tensor, *(max(1, edge // FIELD_CELL) for edge in (columns, rows)))
    return resized(cells, width, height)


def _ints(*values: int) -> ov.Node:
    return op.constant(np.array(values, np.int64))
