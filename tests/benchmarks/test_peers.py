import numpy as np
import pytest
from skimage.data import astronaut, coffee

from benchmarks import metrics, peers
from restyle.images.pixels import Pixels


@pytest.fixture(scope="module")
def raw() -> Pixels:
    return metrics.scaled(astronaut(), 128)


@pytest.fixture(scope="module")
def style() -> Pixels:
    return metrics.scaled(coffee(), 96)


def test_colour_transfer_brings_the_colours_and_keeps_the_picture(raw: Pixels, style: Pixels) -> None:
    result = peers.colour_transfer(raw, style)
    assert result.shape == raw.shape
    assert result.dtype == np.uint8
    assert metrics.lab_frechet(result, style) < 0.3 * metrics.lab_frechet(raw, style)
    assert metrics.edge_f1(result, raw) > 0.7


def test_colour_transfer_from_itself_changes_nothing(raw: Pixels) -> None:
    assert np.abs(peers.colour_transfer(raw, raw).astype(int) - raw).max() <= 1


def test_colour_transfer_of_a_grey_picture_has_no_trouble(style: Pixels) -> None:
    grey = np.full((32, 32, 3), 120, np.uint8)
    assert np.ptp(peers.colour_transfer(grey, style), axis=(0, 1)).max() == 0


def test_the_package_beside_us_keeps_the_size(raw: Pixels, style: Pixels) -> None:
    assert peers.lite()(raw[:100], style).shape == (100, 128, 3)
