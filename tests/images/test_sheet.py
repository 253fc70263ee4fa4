"""Before, style and after side by side."""

import numpy as np
import pytest

from restyle.images.sheet import CAPTION, GAP, strips
from restyle.wire.errors import RestyleError
from tests.support.pictures import picture


def test_rows_keep_every_pictures_shape() -> None:
    flat = [np.full((50, 100, 3), colour, np.uint8) for colour in ((200, 0, 0), (0, 200, 0), (0, 0, 200))]
    tall = [np.full((100, 50, 3), 90, np.uint8)] * 3
    page = strips([flat, tall], height=100)
    assert page.size == (GAP + 3 * (200 + GAP), CAPTION + GAP + 2 * (100 + GAP))
    middles = [GAP + 100 + column * (200 + GAP) for column in range(3)]
    first, second = CAPTION + GAP + 50, CAPTION + GAP + 158
    assert [page.getpixel((x, first)) for x in middles] == [(200, 0, 0), (0, 200, 0), (0, 0, 200)]
    assert [page.getpixel((x, second)) for x in middles] == [(90, 90, 90)] * 3
    assert page.getpixel((middles[0] - 80, second)) == (255, 255, 255)


def test_a_picture_that_cannot_be_read_is_named() -> None:
    with pytest.raises(RestyleError, match=r"^style is not a readable picture"):
        strips([[picture(9, 9), b"text", picture(9, 9)]])
