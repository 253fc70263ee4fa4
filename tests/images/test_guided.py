"""The guided filter, and the colours of a photograph under drawn strokes."""

import numpy as np
import pytest

from restyle.images.guided import GuidedFilter, recoloured
from restyle.images.luma import luma
from tests.support.pictures import picture


@pytest.fixture(scope="module")
def smooth() -> GuidedFilter:
    return GuidedFilter(1, radius=8, contrast=0.1)


def test_noise_goes_and_the_guides_edges_stay(smooth: GuidedFilter) -> None:
    guide = np.zeros((96, 96), np.float32)
    guide[:, 48:] = 1
    noisy = guide[..., None] + np.random.default_rng(0).normal(0, 0.05, (96, 96, 3)).astype(np.float32)
    found = smooth(noisy, guide)
    assert found.dtype == np.float32
    assert found[:, :40].std() < 0.2 * noisy[:, :40].std()
    assert (found[:, 49:52].mean(1) - found[:, 44:47].mean(1)).min() > 0.9


def test_a_size_that_is_no_multiple_of_the_blocks_keeps_its_size(smooth: GuidedFilter) -> None:
    flat = np.full((33, 47, 3), 0.4, np.float32)
    assert smooth(flat, luma(flat)) == pytest.approx(0.4, abs=1e-4)


def test_recoloured_has_the_photographs_colours_and_the_strokes_lightness(smooth: GuidedFilter) -> None:
    raw = picture(96, 96).astype(np.float32) / np.float32(255)
    strokes = np.where(np.arange(96) // 2 % 2, 0.7, 0.4).astype(np.float32)
    drawn = np.broadcast_to(strokes[:, None], (96, 96, 3)).copy()
    found = recoloured(drawn, raw, smooth)
    for opponent in (np.array([1, -1, 0]), np.array([-0.5, -0.5, 1])):
        assert np.abs((found - raw) @ opponent).max() < 1e-4
    assert np.abs(np.diff(luma(found), axis=1)).mean() > np.abs(np.diff(luma(raw), axis=1)).mean()
