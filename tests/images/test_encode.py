"""The delivered file."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from restyle.images.encode import encode_png
from tests.support.pictures import picture


def test_png_gives_back_the_pixels_marked_as_srgb() -> None:
    pixels = picture(65, 129)
    data = encode_png(pixels)
    with Image.open(BytesIO(data)) as image:
        image.load()
        assert (image.format, image.mode, image.size) == ("PNG", "RGB", (129, 65))
        assert image.info == {"srgb": 0}
        assert np.array_equal(np.asarray(image), pixels)
    assert encode_png(pixels) == data


@pytest.mark.parametrize(
    ("text", "chunk"),
    [
        ("a café\nNegative prompt: \nSteps: 10, Seed: 7", b"tEXt"),
        ("一个苹果\nSeed: 7", b"iTXt"),
        ("", b"tEXt"),
    ],
)
def test_parameters_come_back_as_written(text: str, chunk: bytes) -> None:
    data = encode_png(picture(8, 8), text)
    assert chunk + b"parameters\0" in data
    with Image.open(BytesIO(data)) as image:
        assert image.info["parameters"] == text


def test_text_that_png_cannot_hold_is_marked() -> None:
    with Image.open(BytesIO(encode_png(picture(8, 8), "a\0b \ud800"))) as image:
        assert image.info["parameters"] == "a\ufffdb ?"
