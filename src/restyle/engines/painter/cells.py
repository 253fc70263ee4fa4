"""Convolutions between pictures cut into cells.

A picture of C channels cut into cells of b x b pixels is a picture of b*b*C channels, 1/b as wide and high, channels
in the order (row in cell, column in cell, C). On cells, the network's wide kernels over few channels become 3 x 3 and
2 x 2 kernels over many, which is what processors multiply fastest; the arithmetic is the same (space to depth, and for
convolutions behind a nearest-neighbour enlargement the sub-pixel convolution of Shi et al. 2016).
"""

from dataclasses import dataclass

import numpy as np

from restyle.images.pixels import Floats


@dataclass(frozen=True, slots=True)
class CellKernel:
    """``weight`` is float32 (out, in, n, n) over cells; ``before`` and ``after`` count the cells it needs around."""

    weight: Floats
    before: int
    after: int


def cell_kernel(weight: Floats, *, cell_in: int, cell_out: int, stride: int = 1, enlarge: int = 1) -> CellKernel:
    """A convolution (odd kernel, centred) between pixels as one between cells of ``cell_in`` and ``cell_out`` pixels.

    ``stride`` is the convolution's; ``enlarge`` is the nearest-neighbour enlargement of its input. One cell must cover
    the same area on both sides: ``cell_out * stride == cell_in * enlarge``.
    """
    if cell_out * stride != cell_in * enlarge:
        raise ValueError(f"cells of {cell_in} and {cell_out} pixels do not cover the same area")
    outputs, inputs, size, _ = weight.shape
    reach = size // 2
    taps = []
    for phase in range(cell_out):
        for tap in range(size):
            pixel = (stride * phase + tap - reach) // enlarge
            taps.append((phase, tap, pixel // cell_in, pixel % cell_in))
    first, last = min(tap[2] for tap in taps), max(tap[2] for tap in taps)
    span = last - first + 1
    result = np.zeros((cell_out, cell_out, outputs, cell_in, cell_in, inputs, span, span), np.float32)
    for row, i, y, from_row in taps:
        for column, j, x, from_column in taps:
            result[row, column, :, from_row, from_column, :, y - first, x - first] += weight[:, :, i, j]
    flat = result.reshape(cell_out * cell_out * outputs, cell_in * cell_in * inputs, span, span)
    return CellKernel(flat, before=-first, after=last)
