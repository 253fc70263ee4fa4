"""Photographs of phones."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError

from restyle.images.decode import ImageInfo, check_header, decode
from restyle.images.limits import Limits
from restyle.images.structure.frame import Unsound
from restyle.images.structure.read import read
from restyle.settings import Settings
from restyle.wire.errors import RestyleError
from tests.support import heif, pictures

LIMITS = Limits.of(Settings(data_dir=Path("unused")))
PICTURE = pictures.picture(64, 96)


def near(data: bytes, expected: object, field: str = "ImageList[0]") -> bool:
    pixels = decode(data, LIMITS, field=field)
    wanted = np.asarray(expected)
    return pixels.shape == wanted.shape and float(np.abs(pixels.astype(float) - wanted).mean()) < 4


def test_a_photograph_is_read_upright() -> None:
    assert check_header(heif.heic("plain"), LIMITS, field="x") == ImageInfo("HEIF", 96, 64)
    assert near(heif.heic("plain"), PICTURE)
    assert check_header(heif.heic("turned"), LIMITS, field="x") == ImageInfo("HEIF", 64, 96)
    assert near(heif.heic("turned"), np.rot90(PICTURE, -1))


def test_transparency_is_laid_on_white() -> None:
    expected = PICTURE.astype(float)
    expected[:, 32:64] = expected[:, 32:64] * (128 / 255) + 127
    expected[:, 64:] = 255
    assert near(heif.heic("alpha"), expected)


def test_a_picture_may_be_put_together_from_tiles() -> None:
    data = heif.grid(2, 2, 180, 120)
    assert check_header(data, LIMITS, field="x") == ImageInfo("HEIF", 180, 120)
    assert near(data, np.tile(PICTURE, (2, 2, 1))[:120, :180])


def test_reading_teaches_pillow_nothing() -> None:
    near(heif.heic("plain"), PICTURE)
    with pytest.raises(UnidentifiedImageError):
        Image.open(BytesIO(heif.heic("plain")))


@pytest.mark.parametrize("data", [heif.lying(16, 16), heif.lying(4000, 16), heif.grid(1, 1, 96, 64, told=(8, 8))])
def test_the_coded_size_counts(data: bytes) -> None:
    frame = read(data)
    assert frame.width * frame.height >= 96 * 64
    with pytest.raises(RestyleError, match="pixels; at most 6,000"):
        decode(data, Limits(10**6, 6000), field="raw")


def test_a_grid_is_as_large_as_it_says() -> None:
    with pytest.raises(RestyleError, match="30000 x 30000 = 900,000,000 pixels"):
        decode(heif.grid(1, 1, 30_000, 30_000, told=(96, 64)), LIMITS, field="raw")


@pytest.mark.parametrize("kept", [0.01, 0.1, 0.3, 0.6, 0.95])
def test_cut_off_files_are_refused(kept: float) -> None:
    data = heif.heic("plain")
    with pytest.raises(RestyleError, match="cut off"):
        decode(data[: int(len(data) * kept)], LIMITS, field="raw")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (heif.heic("plain").replace(b"hvc1", b"vvc1"), "coded in VVC that is not supported"),
        (heif.heic("plain").replace(b"hvc1", b"zzzz"), "of a kind that is not supported"),
        (b"\0\0\0\x18ftyphevc\0\0\0\0mif1hevc\0\0\0\x08moov", "without a still one, which is not supported"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "not a whole HEIF"),
    ],
)
def test_other_kinds_are_named(data: bytes, says: str) -> None:
    with pytest.raises(Unsound, match=says):
        read(data)


@pytest.mark.parametrize("name", [b"E\xebif\0", b"Exif\xff"])
def test_names_of_items_are_text(name: bytes) -> None:
    """libheif's bindings end the process otherwise, also where a picture is only opened."""
    with pytest.raises(RestyleError, match="cut off or damaged"):
        check_header(heif.heic("turned").replace(b"Exif\0", name, 1), LIMITS, field="raw")


def test_damage_is_found() -> None:
    data = bytearray(heif.heic("plain"))
    at = data.index(b"hvcC") + 4
    data[at + 23 : at + 60] = bytes(37)
    with pytest.raises(RestyleError, match=r"cut off|damaged"):
        decode(bytes(data), LIMITS, field="raw")
