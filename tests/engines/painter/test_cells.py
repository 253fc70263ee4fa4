"""A convolution between cells is the convolution between pixels."""

import numpy as np
import pytest

from restyle.engines.painter.cells import cell_kernel
from restyle.images.pixels import Floats


def convolved(picture: Floats, weight: Floats) -> Floats:
    """float32 (C, H, W) under an odd kernel (O, C, k, k), without padding, by the definition."""
    outputs, _, size, _ = weight.shape
    height, width = picture.shape[1] - size + 1, picture.shape[2] - size + 1
    result = np.zeros((outputs, height, width), np.float32)
    for i in range(size):
        for j in range(size):
            result += np.einsum("oc,chw->ohw", weight[:, :, i, j], picture[:, i : i + height, j : j + width])
    return result


def to_cells(picture: Floats, size: int) -> Floats:
    """float32 (H, W, C), H and W multiples of ``size``, to float32 (1, H/size, W/size, size*size*C)."""
    height, width, channels = picture.shape
    cut = picture.reshape(height // size, size, width // size, size, channels).transpose(0, 2, 1, 3, 4)
    return np.ascontiguousarray(cut).reshape(1, height // size, width // size, -1)


def from_cells(cells: Floats, size: int) -> Floats:
    """The inverse of ``to_cells``."""
    _, rows, columns, channels = cells.shape
    cut = cells.reshape(rows, columns, size, size, channels // size**2).transpose(0, 2, 1, 3, 4)
    return np.ascontiguousarray(cut).reshape(rows * size, columns * size, -1)


@pytest.mark.parametrize(
    ("size", "cell_in", "cell_out", "stride", "enlarge"),
    [(9, 4, 4, 1, 1), (3, 4, 2, 2, 1), (3, 2, 1, 2, 1), (3, 1, 1, 1, 1), (3, 1, 2, 1, 2), (3, 2, 4, 1, 2)],
)
def test_equals_the_convolution_between_pixels(
    size: int, cell_in: int, cell_out: int, stride: int, enlarge: int
) -> None:
    random = np.random.default_rng(size)
    weight = random.standard_normal((5, 2, size, size)).astype(np.float32)
    cells = 6
    picture = random.random((cells * cell_in, cells * cell_in, 2), np.float32)
    kernel = cell_kernel(weight, cell_in=cell_in, cell_out=cell_out, stride=stride, enlarge=enlarge)
    planes = convolved(to_cells(picture, cell_in)[0].transpose(2, 0, 1), kernel.weight)
    by_cells = from_cells(planes.transpose(1, 2, 0)[None], cell_out)

    enlarged = picture.repeat(enlarge, axis=0).repeat(enlarge, axis=1).transpose(2, 0, 1)
    by_pixels = convolved(enlarged, weight).transpose(1, 2, 0)
    # By cells, the first row of results stands ``before`` cells in; by pixels, half a kernel in.
    reach = size // 2
    compared = 0
    for row, column in np.ndindex(by_cells.shape[:2]):
        y, x = ((place + kernel.before * cell_out) * stride - reach for place in (row, column))
        if 0 <= y < len(by_pixels) and 0 <= x < len(by_pixels):
            np.testing.assert_allclose(by_cells[row, column], by_pixels[y, x], atol=1e-3)
            compared += 1
    assert compared > 3


def test_refuses_cells_of_different_areas() -> None:
    with pytest.raises(ValueError, match="same area"):
        cell_kernel(np.zeros((1, 1, 3, 3), np.float32), cell_in=4, cell_out=4, stride=2)
