"""Palettes and luma."""

from typing import Any

import numpy as np
import pytest

from restyle.images.luma import luma
from restyle.images.palette import palette, palette_map, picture_palette, with_palette
from restyle.images.pixels import Floats
from tests.support.pictures import picture


def unit(height: int, width: int, seed: int = 0) -> Floats:
    return picture(height, width, seed).astype(np.float32) / np.float32(255)


def test_a_picture_takes_over_mean_and_covariance() -> None:
    want = picture_palette(unit(60, 90, 40)[..., ::-1] * np.float32(0.5))
    found = picture_palette(with_palette(unit(80, 64), want))
    assert found.mean == pytest.approx(want.mean, abs=1e-3)
    assert found.covariance == pytest.approx(want.covariance, abs=2e-3)


def test_its_own_palette_changes_nothing() -> None:
    given = unit(80, 64)
    assert np.abs(with_palette(given, picture_palette(given)) - given).max() < 1e-4


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_the_map_carries_one_covariance_to_the_other(kind: Any) -> None:
    random = np.random.default_rng(0)
    have, want = (palette((random.random((500, 3)) @ random.random((3, 3))).astype(kind)) for _ in "ab")
    matrix = palette_map(have, want)
    assert matrix @ have.covariance @ matrix.T == pytest.approx(want.covariance, rel=1e-4)
    assert matrix == pytest.approx(matrix.T)
    assert (np.linalg.eigvalsh(matrix) > 0).all()


def test_a_flat_picture_is_moved_and_its_noise_not_blown_up() -> None:
    flat = np.full((40, 40, 3), 0.5, np.float32) + np.random.default_rng(0).normal(0, 1e-4, (40, 40, 3))
    found = with_palette(flat.astype(np.float32), picture_palette(unit(60, 60)))
    assert found.std((0, 1)).max() < 0.01


def test_luma_is_that_of_bt601() -> None:
    colours = np.eye(3, dtype=np.float32)[None]
    assert luma(colours)[0] == pytest.approx([0.299, 0.587, 0.114])
    assert luma(np.ones((2, 2, 3), np.float32)) == pytest.approx(1)
