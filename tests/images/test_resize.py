"""Pictures at another size."""

import numpy as np
import pytest

from restyle.images.resize import resized
from tests.support.pictures import picture


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
@pytest.mark.parametrize(("width", "height"), [(20, 40), (90, 33), (200, 160)])
def test_the_size_is_exact_and_flats_stay_flat(kind: type[np.generic], width: int, height: int) -> None:
    given = picture(80, 60).astype(kind)
    found = resized(given, width, height)
    assert found.shape == (height, width, 3)
    assert found.dtype == kind
    assert np.abs(found.mean((0, 1)) - given.mean((0, 1))).max() < 3
    flat = resized(np.full((50, 60, 3), 77, kind), width, height)
    assert np.abs(flat.astype(float) - 77).max() < 1e-3


def test_a_picture_that_has_the_size_is_itself() -> None:
    given = picture(80, 60)
    assert resized(given, 60, 80) is given


def test_floats_keep_what_leaves_their_range() -> None:
    edge = np.zeros((8, 8, 1), np.float32)
    edge[:, 4:] = 1
    assert resized(edge, 64, 64).max() > 1
