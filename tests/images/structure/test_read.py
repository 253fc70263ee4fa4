"""What the structure of a file says, and which structures no decoder is given."""

from typing import Any

import numpy as np
import pytest
from PIL import Image

from restyle.images.structure.frame import Unsound
from restyle.images.structure.read import read
from tests.support import bombs, pictures

PICTURE = pictures.picture(40, 60)
ALPHA = np.dstack([PICTURE, np.full(PICTURE.shape[:2], 90, np.uint8)])
MORE: dict[str, Any] = {"save_all": True, "append_images": [Image.fromarray(PICTURE[::-1])]}
STRUCTURAL = [name for name in bombs.HOSTILE if name != "a wide dictionary"]
BY_SIZE = (
    "a small AVIF that is large",
    "a small moving AVIF that is large",
    "a large grid of a small tile",
    "too many pixels",
)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {}),
        ("JPEG", {"progressive": True, "subsampling": 0}),
        ("PNG", {}),
        ("PNG", MORE),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
        ("WEBP", MORE),
        ("AVIF", {}),
        ("AVIF", MORE),
        ("GIF", MORE),
        ("BMP", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {"big_tiff": True}),
        ("TIFF", MORE),
    ],
)
def test_a_frame_is_as_large_as_it_is_coded(kind: str, options: dict[str, Any]) -> None:
    frame = read(pictures.encode(PICTURE, kind, **options))
    assert (frame.format, frame.width, frame.height) == (kind, 60, 40)
    assert 0 < frame.scratch < 10_000_000


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "AVIF", "TIFF"])
def test_opacity_is_no_second_picture(kind: str) -> None:
    frame = read(pictures.encode(ALPHA, kind))
    assert (frame.width, frame.height) == (60, 40)


@pytest.mark.parametrize("frames", [1, 2])
def test_of_an_avif_the_coded_frame_counts(frames: int) -> None:
    honest, lying = bombs.lying_avif(200, 200, frames), bombs.lying_avif(200, 64, frames)
    assert honest != lying
    assert (read(lying).width, read(lying).height) == (200, 200)


@pytest.mark.parametrize("name", STRUCTURAL)
def test_excess_is_found_without_a_decoder(name: str) -> None:
    make, says = bombs.HOSTILE[name]
    if name in BY_SIZE:
        frame = read(make())
        assert f"{frame.width} x {frame.height}" in says or f"{frame.width * frame.height:,}" in says
    else:
        with pytest.raises(Unsound, match=says):
            read(make())


def test_a_coefficient_that_waits_for_later_scans_takes_memory() -> None:
    side = 800
    plain, progressive = (
        read(pictures.encode(np.zeros((side, side, 3), np.uint8), "JPEG", progressive=later, subsampling=0))
        for later in (False, True)
    )
    assert plain.scratch < side * side
    assert progressive.scratch >= 2 * 3 * side * side


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (bombs.behind_the_start(bombs.segment(0xFE) + bytes(5000)), "bytes that belong to no segment"),
        (bombs.behind_the_start(b"\xff" * 5000), "bytes that belong to no segment"),
        (bombs.behind_the_start(bombs.segment(0xE5, bytes(65_000)) * 300), "bytes of metadata"),
        (bombs.behind_the_start(b"\xff\xe5\0\1"), "not a whole JPEG"),
        (pictures.encode(PICTURE, "JPEG").replace(b"\xff\xc0", b"\xff\xc4"), "not a whole JPEG"),
    ],
)
def test_jpegs_keep_their_own_rules(data: bytes, says: str) -> None:
    with pytest.raises(Unsound, match=says):
        read(data)


def test_a_png_has_one_header() -> None:
    plain = pictures.encode(PICTURE, "PNG")
    with pytest.raises(Unsound, match="not a whole PNG"):
        read(plain[:33] + plain[8:])


def test_what_stands_behind_the_picture_says_nothing() -> None:
    for kind in ("JPEG", "PNG", "GIF", "BMP", "TIFF"):
        assert read(pictures.encode(PICTURE, kind) + bytes(5000)).width == 60
