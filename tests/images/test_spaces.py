"""Colours that files describe by code points, or by gamma and primaries; how they are coded is written out here."""

import struct
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from restyle.images.decode import check_header, decode, from_image
from restyle.images.limits import Limits
from restyle.images.pixels import Pixels
from restyle.settings import Settings
from tests.support import heif, pictures

Light = npt.NDArray[np.float64]

LIMITS = Limits.of(Settings(data_dir=Path("unused")))
PICTURE = pictures.picture(64, 96)
TO_BT2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.088, 0.8956]])
"""Linear sRGB to linear BT.2020 (ITU-R BT.2087)."""
TO_P3 = np.array([[0.8225, 0.1774, 0.0], [0.0332, 0.9669, 0.0], [0.0171, 0.0724, 0.9108]])
PRIMARIES = {1: np.eye(3), 9: TO_BT2020, 12: TO_P3}


def light(pixels: Pixels) -> Light:
    code = pixels / 255
    found: Light = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
    return found


def pq(linear: Light) -> Light:
    power = (linear * 203 / 10_000) ** 0.1593017578125
    found: Light = ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375
    return found


def hlg(linear: Light) -> Light:
    shown = np.clip(linear * 0.203, 1e-9, None)
    luminance = (shown @ (0.2627, 0.678, 0.0593))[..., None]
    scene = shown * luminance ** (1 / 1.2 - 1)
    logarithm = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    found: Light = np.where(scene <= 1 / 12, np.sqrt(3 * scene), logarithm)
    return found


def bt709(linear: Light) -> Light:
    found: Light = np.where(linear < 0.018, 4.5 * linear, 1.099 * linear**0.45 - 0.099)
    return found


def srgb(linear: Light) -> Light:
    found: Light = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return found


CODINGS = {1: bt709, 4: lambda linear: linear ** (1 / 2.2), 8: lambda linear: linear, 13: srgb, 16: pq, 18: hlg}


def coded(primaries: int, transfer: int, scale: float = 1) -> Pixels:
    there = np.clip(light(PICTURE) @ PRIMARIES[primaries].T, 0, 1) * scale
    found: Pixels = (255 * CODINGS[transfer](there)).round().astype(np.uint8)
    return found


def cicp(primaries: int, transfer: int, full: int = 1) -> bytes:
    return pictures.png_chunk(b"cICP", bytes((primaries, transfer, 0, full)))


def read(data: bytes) -> Pixels:
    check_header(data, LIMITS, field="raw")
    return decode(data, LIMITS, field="raw")


def distance(data: bytes) -> float:
    return float(np.abs(read(data).astype(float) - PICTURE).mean())


@pytest.mark.parametrize("primaries", PRIMARIES)
@pytest.mark.parametrize("transfer", CODINGS)
def test_code_points_of_a_png_are_followed(primaries: int, transfer: int) -> None:
    # of linear light and of high dynamic range 8 bits leave little
    allowed = {8: 6, 16: 2, 18: 2}.get(transfer, 0.7)
    plain = pictures.encode(coded(primaries, transfer), "PNG", icc_profile=pictures.matrix_profile())
    assert distance(pictures.with_chunks(plain, cicp(primaries, transfer))) < allowed


@pytest.mark.parametrize(("primaries", "transfer"), [(9, 16), (9, 18), (12, 13), (9, 1)])
def test_code_points_of_an_avif_are_followed(primaries: int, transfer: int) -> None:
    file = pictures.encode(coded(primaries, transfer), "AVIF", quality=100, subsampling="4:4:4")
    assert distance(heif.coded(file, primaries, transfer)) < 4
    assert distance(file) > 8


def test_code_points_of_a_moving_avif_are_followed() -> None:
    more = [Image.fromarray(PICTURE[::-1])]
    options = {"quality": 100, "subsampling": "4:4:4", "save_all": True, "append_images": more}
    file = pictures.encode(coded(9, 16), "AVIF", **options)
    assert distance(file.replace(b"colrnclx\0\1\0\x0d", b"colrnclx\0\x09\0\x10")) < 4


def test_where_the_container_of_an_avif_says_nothing_its_stream_does() -> None:
    file = pictures.encode(coded(12, 13), "AVIF", quality=100, subsampling="4:4:4")
    at = file.index(b"mdat") + 4
    bits, told = f"{int.from_bytes(file[at : at + 24], 'big'):0192b}", f"1{1:08b}{13:08b}"
    assert bits.count(told) == 1
    header = int(bits.replace(told, f"1{12:08b}{13:08b}"), 2).to_bytes(24, "big")
    file = file[:at] + header + file[at + 24 :]
    assert distance(file) > 8
    assert distance(file.replace(b"colrnclx", b"freenclx")) < 4


@pytest.mark.parametrize(("primaries", "transfer"), [(9, 16), (9, 18), (12, 13)])
def test_a_heic_is_read_as_an_avif_is(primaries: int, transfer: int) -> None:
    plain = decode(heif.heic("plain"), LIMITS, field="raw")
    other = pictures.with_chunks(pictures.encode(plain, "PNG"), cicp(primaries, transfer))
    assert np.array_equal(read(heif.coded(heif.heic("plain"), primaries, transfer)), read(other))


def test_samples_may_keep_to_a_range() -> None:
    narrow = (16 + PICTURE * (219 / 255)).round().astype(np.uint8)
    assert distance(pictures.with_chunks(pictures.encode(narrow, "PNG"), cicp(1, 13, full=0))) < 1


def test_what_is_brighter_than_white_is_compressed_with_its_hue() -> None:
    file = pictures.with_chunks(pictures.encode(coded(1, 16, scale=6), "PNG"), cicp(1, 16))
    bright = read(file).astype(float)
    assert (np.diff(bright[-1, :, 0]) >= -2).all()  # a slope stays a slope up to its end
    assert bright[-1, 48, 0] < 253
    assert bright.max() >= 254


@pytest.mark.parametrize("code_points", [(1, 13), (2, 2), (200, 99)])
def test_code_points_of_srgb_and_unknown_ones_change_nothing(code_points: tuple[int, int]) -> None:
    assert distance(pictures.with_chunks(pictures.encode(PICTURE, "PNG"), cicp(*code_points))) == 0


def gamma(value: float) -> bytes:
    return pictures.png_chunk(b"gAMA", struct.pack(">I", round(value * 100_000)))


def primaries(*xy: float) -> bytes:
    return pictures.png_chunk(b"cHRM", struct.pack(">8I", *(round(value * 100_000) for value in xy)))


P3 = primaries(0.3127, 0.329, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06)


@pytest.mark.parametrize("value", [1.0, 0.55, 1 / 1.8])
def test_the_gamma_of_a_png_is_followed(value: float) -> None:
    data = pictures.with_chunks(
        pictures.encode((255 * light(PICTURE) ** value).round().astype(np.uint8), "PNG"), gamma(value)
    )
    assert distance(data) < (6 if value == 1 else 0.7)
    with Image.open(BytesIO(data)) as image:
        assert np.array_equal(from_image(image, field="raw"), read(data))


def test_the_primaries_of_a_png_are_followed() -> None:
    plain = pictures.encode(coded(12, 13), "PNG")
    assert distance(pictures.with_chunks(plain, gamma(0.45455), P3)) < 0.7
    assert distance(pictures.with_chunks(plain, P3)) < 0.7


@pytest.mark.parametrize(
    "chunks",
    [
        (gamma(0.45455),),
        (gamma(0.45455), primaries(0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)),
        (pictures.png_chunk(b"sRGB", b"\0"), gamma(1), P3),
        (gamma(0),),
        (gamma(40_000),),
        (primaries(*[0] * 8),),
        (primaries(*[0.3] * 8),),
        (pictures.png_chunk(b"cHRM", b"short"), pictures.png_chunk(b"gAMA", b"s")),
        (pictures.png_chunk(b"cICP", b"\x09\x10\1\1"),),
    ],
)
def test_what_means_srgb_or_nothing_changes_nothing(chunks: tuple[bytes, ...]) -> None:
    assert distance(pictures.with_chunks(pictures.encode(PICTURE, "PNG"), *chunks)) == 0


def test_opacity_is_no_colour() -> None:
    alpha = np.full((64, 96, 1), 128, np.uint8)
    file = pictures.with_chunks(pictures.encode(np.concatenate([coded(12, 13), alpha], axis=-1), "PNG"), cicp(12, 13))
    assert np.abs(read(file) - (PICTURE * (128 / 255) + 127)).max() < 4
    grey = pictures.with_chunks(pictures.encode(coded(1, 18)[..., 1], "PNG"), cicp(9, 18))
    assert np.ptp(read(grey), axis=-1).max() <= 1
