"""How the patches of a drawing are distributed, before and after."""

import numpy as np
import pytest

from restyle.engines.brush.patches import OCTAVES, change, distribution
from restyle.images.pixels import Floats

EDGE = 160


def blobs(seed: int, light: float, contrast: float) -> Floats:
    """A picture of soft blobs, each colour around ``light``."""
    random = np.random.default_rng(seed)
    total = np.zeros((EDGE, EDGE, 3))
    for cell in (4, 16, 40):
        coarse = random.normal(size=(EDGE // cell, EDGE // cell, 3))
        total += coarse.repeat(cell, 0).repeat(cell, 1)
    return (light + contrast * total).astype(np.float32)


def away(picture: Floats, wanted: dict[int, Floats], octave: int) -> float:
    return float(np.abs(distribution(picture)[octave] - wanted[octave]).mean())


def test_what_is_distributed_so_stays() -> None:
    picture = blobs(1, 0.5, 0.1)
    assert np.abs(change(picture, picture, distribution(picture))).max() < 1e-3


@pytest.mark.parametrize("octave", OCTAVES)
def test_patches_of_every_size_come_nearer(octave: int) -> None:
    picture, wanted = blobs(1, 0.4, 0.07), distribution(blobs(2, 0.6, 0.12))
    moved = picture + change(picture, picture, wanted)
    assert away(moved, wanted, octave) < 0.4 * away(picture, wanted, octave)


def test_a_flat_picture_takes_the_mean_colour_and_stays_flat() -> None:
    flat = np.full((EDGE, EDGE, 3), (0.2, 0.5, 0.7), np.float32)
    reference = blobs(3, 0.5, 0.1)
    moved = flat + change(flat, flat, distribution(reference))
    assert np.ptp(moved, (0, 1)).max() < 1e-3
    assert moved.mean((0, 1)) == pytest.approx(reference.mean((0, 1)), abs=0.02)


def test_grain_does_not_become_weather() -> None:
    """However stormy the reference, what differs little still does."""
    grain = blobs(4, 0.5, 0.002)
    moved = grain + change(grain, grain, distribution(blobs(5, 0.5, 0.2)))
    assert moved.std((0, 1)).max() < 0.05


def test_what_moves_stops_at_the_photographs_edges() -> None:
    """Close to an outline, each side moves as it does far away from it."""
    half = EDGE // 2
    photograph = np.full((EDGE, EDGE, 3), 0.8, np.float32)
    photograph[:, :half] = 0.1
    drawn = (0.3 + 0.4 * photograph).astype(np.float32)
    moved = change(drawn, photograph, distribution((0.5 + 1.8 * (drawn - 0.5)).astype(np.float32)))
    apart = np.abs(moved[80, 10] - moved[80, -10]).min()
    assert apart > 0.15
    for far, near in ((10, half - 13), (-10, half + 12)):
        assert np.abs(moved[80, far] - moved[80, near]).max() < 0.2 * apart


def test_a_picture_too_small_for_an_octave_is_left_alone_there() -> None:
    small = blobs(1, 0.4, 0.1)[:40, :40]
    assert set(distribution(small)) == {1, 2}
    tiny = small[:12, :12]
    assert not change(tiny, tiny, distribution(blobs(2, 0.6, 0.1))).any()
