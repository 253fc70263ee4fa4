"""Pictures that are not opaque everywhere: laid on white without seams, or kept as they are."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from restyle.images.clear import filled, with_opacity
from restyle.images.decode import decode, from_image
from restyle.images.fit import ResizeMode, fit
from restyle.images.limits import Limits
from restyle.images.pixels import Pixels
from restyle.images.source import to_file
from restyle.settings import Settings
from tests.support import heif, pictures

LIMITS = Limits.of(Settings(data_dir=Path("unused")))
PICTURE = pictures.picture(40, 60)


def disc(hidden: int) -> Pixels:
    """A blue disc with a soft edge, and ``hidden`` where nothing is seen."""
    down, across = np.mgrid[:64, :64]
    opacity = np.clip(26 - np.hypot(down - 32, across - 32), 0, 6) / 6
    colours = np.where(opacity[..., None] > 0, (30, 60, 200), hidden)
    return np.dstack([colours, (opacity * 255).round()]).astype(np.uint8)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_what_is_asked_for_is_kept(kind: str) -> None:
    data = pictures.encode(disc(0), kind, **({"lossless": True, "exact": True} if kind == "WEBP" else {}))
    assert np.array_equal(decode(data, LIMITS, field="x", keep_alpha=True), disc(0))
    assert decode(data, LIMITS, field="x").shape == (64, 64, 3)
    opaque = decode(pictures.encode(PICTURE, kind), LIMITS, field="x", keep_alpha=True)
    assert opaque.shape == (40, 60, 3)


def test_opacity_is_turned_with_its_picture() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = pictures.encode(disc(0)[:40], "PNG", exif=exif)
    assert np.array_equal(decode(data, LIMITS, field="x", keep_alpha=True), np.rot90(disc(0)[:40], -1))


def test_opacity_of_a_heic_is_kept() -> None:
    opacity = decode(heif.heic("alpha"), LIMITS, field="x", keep_alpha=True)[..., 3]
    assert np.abs(opacity[:, [5, 45, 90]].astype(int) - (255, 128, 0)).max() < 4


@pytest.mark.parametrize("mode", ["RGBA", "LA", "La", "RGBa"])
@pytest.mark.parametrize("hidden", [0, 255])
def test_no_seam_shows_where_a_picture_is_laid_on_white(mode: str, hidden: int) -> None:
    image = Image.fromarray(disc(hidden))
    if mode in ("LA", "La"):
        image = image.convert("LA")
    image = image.convert(mode) if image.mode != mode else image
    row = from_image(image, field="x")[32, 32:].astype(int)
    assert (np.diff(row, axis=0) >= -2).all()  # from the disc's colour to white, and never darker on the way
    assert (row[-1] == 255).all()


def test_premultiplied_grey_of_a_tiff_is_read_as_it_looks() -> None:
    samples = np.zeros((16, 16, 2), np.uint8)
    samples[:, :8], samples[:, 8:] = (100, 255), (50, 128)
    tags = {256: (16,), 257: (16,), 258: (8, 8), 259: (1,), 262: (1,), 273: (8,), 277: (2,), 278: (16,), 279: (512,)}
    pixels = decode(pictures.tiff(tags | {338: (1,)}, pixels=samples.tobytes()), LIMITS, field="x")
    assert np.abs(pixels[0, :, 0].astype(int) - ([100] * 8 + [177] * 8)).max() <= 1


def test_clear_places_continue_what_is_seen() -> None:
    colours = filled(disc(0))
    assert np.abs(colours.astype(int) - (30, 60, 200)).max() <= 2
    halves = np.zeros((33, 47, 4), np.uint8)
    halves[:, :5], halves[:, -5:] = (200, 0, 0, 255), (0, 0, 200, 255)
    between = filled(halves)
    assert between[16, 8, 0] > between[16, 38, 0]
    assert np.array_equal(between[:, :5], halves[:, :5, :3])
    assert (filled(np.zeros((7, 3, 4), np.uint8)) == 255).all()


def test_opacity_is_given_back() -> None:
    clear = disc(7)
    drawn = np.full((64, 64, 3), 99, np.uint8)
    found = with_opacity(drawn, clear)
    assert np.array_equal(found[..., 3], clear[..., 3])
    assert (found[clear[..., 3] > 0, :3] == 99).all()
    assert np.array_equal(with_opacity(filled(clear), clear), clear)


@pytest.mark.parametrize("mode", ResizeMode)
@pytest.mark.parametrize("size", [(30, 30), (200, 150)])
def test_a_picture_is_resized_with_its_opacity(mode: ResizeMode, size: tuple[int, int]) -> None:
    found = fit(disc(255), *size, mode)
    assert found.shape == (size[1], size[0], 4)
    seen = np.abs(found[..., :3].astype(int) - (30, 60, 200))
    assert seen[found[..., 3] > 64].max() <= 4  # nothing hidden comes into it
    assert seen[found[..., 3] > 16].mean() <= 1  # where colours are rounded with little opacity
    assert found[size[1] // 2, size[0] // 2, 3] == 255


def test_what_is_handed_over_is_sent_with_its_opacity() -> None:
    sent = to_file(disc(3), field="raw")
    assert np.array_equal(decode(sent, LIMITS, field="x", keep_alpha=True), disc(3))
    assert np.array_equal(decode(sent, LIMITS, field="x"), from_image(Image.fromarray(disc(3)), field="x"))
