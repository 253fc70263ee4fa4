"""Pictures are smoothed along what is drawn and never across it."""

import numpy as np
import pytest

from restyle.engines.painter.strokes import Strokes
from restyle.images.pixels import Floats


@pytest.fixture(scope="module")
def strokes() -> Strokes:
    return Strokes(2)


def stripes(angle: float, height: int, width: int) -> Floats:
    """Waves of 24 pixels whose lines run at ``angle`` to the right, downwards."""
    down, across = np.mgrid[:height, :width].astype(np.float32)
    wave = np.sin((across * np.sin(angle) - down * np.cos(angle)) * np.float32(2 * np.pi / 24))
    return np.repeat((0.5 + 0.3 * wave)[..., None], 3, axis=2).astype(np.float32)


@pytest.mark.parametrize("degrees", [0, 30, 90, 117, 179])
def test_grain_goes_and_lines_stay(strokes: Strokes, degrees: float) -> None:
    lines = stripes(np.radians(degrees), 300, 260)
    noise = np.random.default_rng(1).normal(0, 0.1, lines.shape).astype(np.float32)
    smoothed = strokes(lines + noise, lines + noise, 4.0)
    assert np.abs(smoothed - lines).mean() < 0.6 * np.abs(noise).mean()
    assert np.abs(strokes(lines, lines, 4.0) - lines).mean() < 0.01


def test_what_is_smoothed_may_be_another_picture_than_the_guide(strokes: Strokes) -> None:
    lines = stripes(0.5, 200, 200)
    across = stripes(0.5 + np.pi / 2, 200, 200)
    assert strokes(across, lines, 6.0).std() < 0.6 * strokes(lines, lines, 6.0).std()


def test_a_flat_picture_stays_as_it_is(strokes: Strokes) -> None:
    flat = np.full((100, 130, 3), 0.3, np.float32)
    np.testing.assert_allclose(strokes(flat, flat, 5.0), flat, atol=1e-6)
