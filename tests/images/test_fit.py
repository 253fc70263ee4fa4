"""Every shape meets every size, to the pixel."""

import numpy as np
import pytest

from restyle.images.fit import ResizeMode, fit
from tests.support.pictures import picture

SIZES = [(64, 64), (65, 2559), (2559, 65), (1024, 768)]
SHAPES = [(40, 60), (1, 1), (1, 3000), (3000, 1), (481, 333)]


@pytest.mark.parametrize("mode", ResizeMode)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_size_is_exact_and_flat_colour_stays_flat(
    mode: ResizeMode, size: tuple[int, int], shape: tuple[int, int]
) -> None:
    width, height = size
    result = fit(np.full((*shape, 3), (200, 30, 77), np.uint8), width, height, mode)
    assert result.shape == (height, width, 3)
    assert result.dtype == np.uint8
    assert (result == (200, 30, 77)).all()


@pytest.mark.parametrize("mode", ResizeMode)
def test_a_picture_of_the_size_is_untouched(mode: ResizeMode) -> None:
    pixels = picture(90, 120)
    assert np.array_equal(fit(pixels, 120, 90, mode), pixels)


def bands(height: int, width: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Red left quarter, green middle, blue right quarter."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, : width // 4, 0] = pixels[:, -(width // 4) :, 2] = 255
    pixels[:, width // 4 : -(width // 4), 1] = 255
    return pixels


def test_just_resize_keeps_everything_and_stretches() -> None:
    result = fit(bands(100, 400), 100, 100, ResizeMode.JUST_RESIZE)
    assert result[50, 10].tolist() == [255, 0, 0]
    assert result[50, 90].tolist() == [0, 0, 255]


def test_crop_keeps_the_middle() -> None:
    result = fit(bands(100, 400), 100, 100)
    assert (result[:, 2:-2] == (0, 255, 0)).all()


def test_fill_keeps_everything_in_shape_and_continues_it() -> None:
    result = fit(bands(100, 400), 400, 300, ResizeMode.RESIZE_AND_FILL)
    assert np.array_equal(result[100:200], bands(100, 400))
    for row in (5, 95, 205, 295):
        assert result[row, 20].tolist() == [255, 0, 0]
        assert result[row, 200].tolist() == [0, 255, 0]


def test_the_filled_border_meets_the_picture_without_a_step() -> None:
    slopes = picture(200, 200)
    slopes[..., 2] = 90
    result = fit(slopes, 400, 200, ResizeMode.RESIZE_AND_FILL).astype(int)
    assert np.abs(result[:, 99] - result[:, 100]).max() <= 8
    assert np.abs(result[:, 299] - result[:, 300]).max() <= 8


@pytest.mark.parametrize("mode", ResizeMode)
def test_what_nobody_sees_tints_no_edge(mode: ResizeMode) -> None:
    pixels = np.zeros((40, 60, 4), np.uint8)
    pixels[:, :25] = (200, 30, 77, 255)
    for size in ((30, 20), (90, 90)):
        result = fit(pixels, *size, mode)
        assert result.shape == (size[1], size[0], 4)
        seen = result[result[..., 3] > 64].astype(int)
        assert np.abs(seen[:, :3] - (200, 30, 77)).max() <= 4
        assert {0, 255} <= set(np.unique(result[..., 3]))
