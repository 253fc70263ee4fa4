"""Colours that follow the photograph's, and those that do not."""

import numpy as np
import pytest

from restyle.engines.brush.guided import Smoothing, calmed
from restyle.images.pixels import Floats
from restyle.images.runtime import ov

ACROSS = np.arange(96)
AWAY = np.maximum(np.abs(ACROSS[:, None] - 48), np.abs(ACROSS - 48)) - 12
"""How far each pixel is away from a dark square before a sky."""
PHOTOGRAPH = np.repeat(np.where(AWAY > 0, 0.8, 0.1)[..., None], 3, 2).astype(np.float32)
COLOURS = np.array([0.2, -0.5, 0.9], np.float32)


def unrest(sky: Floats) -> float:
    """How much the mean colours of 8 x 8 pixels differ, of those that hold nothing but sky."""
    places = sky.reshape(12, 8, 12, 8, 3).mean((1, 3))
    empty = (AWAY > 0).reshape(12, 8, 12, 8).all((1, 3))
    return float(places[empty].std(0).mean())


def test_another_colour_of_sky_stays() -> None:
    drawn = (0.4 + 0.5 * COLOURS * PHOTOGRAPH).astype(np.float32)
    assert np.abs(calmed(drawn, PHOTOGRAPH) - drawn).max() < 0.02


@pytest.mark.parametrize("width", [8, 16])
def test_another_colour_around_a_figure_goes(width: int) -> None:
    around = ((AWAY > 0) & (width >= AWAY))[..., None]
    drawn = np.where(around, np.float32(0.9), 0.5 * PHOTOGRAPH).astype(np.float32)
    assert unrest(calmed(drawn, PHOTOGRAPH)) < 0.5 * unrest(drawn)


def test_strokes_are_left_alone() -> None:
    """Finer than its places nothing is looked at."""
    strokes = (0.2 * (np.indices((96, 96)).sum(0) % 2) - 0.1)[..., None].astype(np.float32)
    assert np.abs(calmed(PHOTOGRAPH + strokes, PHOTOGRAPH) - calmed(PHOTOGRAPH, PHOTOGRAPH) - strokes).max() < 1e-3


def test_what_is_faint_goes_and_edges_stay() -> None:
    faint = np.random.default_rng(0).normal(0, 0.01, PHOTOGRAPH.shape).astype(np.float32)
    smooth = Smoothing(ov.Core(), {})(np.clip(PHOTOGRAPH + faint, 0, 1))
    far, near = AWAY > 10, np.abs(AWAY) < 2
    assert np.std(smooth[far] - PHOTOGRAPH[far]) < 0.4 * np.std(faint)
    assert np.abs(smooth[near] - PHOTOGRAPH[near]).mean() < 0.02
