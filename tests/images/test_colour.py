"""Colours arrive as they look, whatever the file says them in."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageCms

from restyle.images.decode import decode
from restyle.images.limits import Limits
from restyle.images.pixels import Pixels
from restyle.settings import Settings
from tests.support import pictures

LIMITS = Limits.of(Settings(data_dir=Path("unused")))
SRGB = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.7141]])
"""Linear sRGB to XYZ adapted to D50 (ICC sRGB v2)."""


def read(data: bytes) -> Pixels:
    return decode(data, LIMITS, field="ImageList[0]")


def wide_to_srgb(pixels: Pixels, gamma: float) -> npt.NDArray[np.float64]:
    """Display P3 primaries with a pure power curve, worked out here without any colour library."""
    linear = (pixels / 255.0) ** gamma
    xyz = linear @ np.array(pictures.DISPLAY_P3)
    wanted = np.clip(xyz @ np.linalg.inv(SRGB).T, 0, 1)
    encoded: npt.NDArray[np.float64] = np.where(
        wanted <= 0.0031308, 12.92 * wanted, 1.055 * wanted ** (1 / 2.4) - 0.055
    )
    return 255 * encoded


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_a_wide_gamut_profile_is_followed(kind: str) -> None:
    pixels = pictures.picture(32, 48)
    options = {"lossless": True} if kind == "WEBP" else {}
    data = pictures.encode(pixels, kind, icc_profile=pictures.matrix_profile(gamma=2.2), **options)
    expected = wide_to_srgb(pixels, gamma=round(2.2 * 256) / 256)
    assert np.abs(read(data) - expected).max() <= 2
    assert np.abs(expected - pixels).max() > 50


def test_an_srgb_profile_changes_nothing() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    pixels = pictures.picture(32, 48)
    assert np.array_equal(read(pictures.encode(pixels, "PNG", icc_profile=profile)), pixels)


def test_transparency_and_a_profile_go_together() -> None:
    pixels = pictures.picture(32, 48)
    clear = np.zeros((32, 48, 1), np.uint8)
    clear[:, :24] = 255
    data = pictures.encode(np.concatenate([pixels, clear], axis=-1), "PNG", icc_profile=pictures.matrix_profile())
    result = read(data)
    assert (result[:, 24:] == 255).all()
    assert np.abs(result[:, :24] - wide_to_srgb(pixels, round(2.2 * 256) / 256)[:, :24]).max() <= 2


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_ink_follows_the_printers_profile(kind: str) -> None:
    cyan = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    paper_and_cyan = {(0, 0, 0, 0): (100.0, 0.0, 0.0), (1, 0, 0, 0): (60.0, -30.0, -40.0)}
    printed = read(pictures.encode(cyan, kind, icc_profile=pictures.cmyk_profile(paper_and_cyan)))
    plain = read(pictures.encode(cyan, kind))
    # CIE L*a*b* 60 -30 -40 in sRGB, from the defining formulae: red falls just outside the gamut.
    assert np.abs(printed[8, 8].astype(int) - (0, 161, 214)).max() <= 4
    assert np.abs(plain[8, 8].astype(int) - (0, 255, 255)).max() <= 2


def test_lab_pixels_are_read_as_lab() -> None:
    grey = read(pictures.encode(Image.new("LAB", (4, 4), (136, 128, 128)), "TIFF"))
    assert np.abs(grey[0, 0].astype(int) - 127).max() <= 2


@pytest.mark.parametrize("profile", [b"", b"not a profile", pictures.cmyk_profile({})])
def test_a_profile_that_cannot_be_meant_is_passed_over(profile: bytes) -> None:
    pixels = pictures.picture(32, 48)
    assert np.array_equal(read(pictures.encode(pixels, "PNG", icc_profile=profile)), pixels)


def test_a_tiff_may_count_from_white() -> None:
    ramp = np.arange(0, 65536, 1024, dtype=np.uint16).reshape(8, 8)
    inverted = pictures.encode(Image.fromarray(ramp), "TIFF", tiffinfo={262: 0})
    assert np.abs(read(inverted)[..., 0] - (255 - ramp / 257)).max() <= 1
