"""What people upload, and what attackers do."""

import struct
import warnings
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from restyle.images.decode import ImageInfo, check_header, decode, from_image
from restyle.images.limits import Limits
from restyle.images.pixels import Pixels
from restyle.settings import Settings
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError
from tests.support import pictures

LIMITS = Limits.of(Settings(data_dir=Path("unused")))
PICTURE = pictures.picture(40, 60)
LOSSLESS: dict[str, dict[str, object]] = {"PNG": {}, "WEBP": {"lossless": True}, "BMP": {}, "TIFF": {}}
LOSSY: dict[str, dict[str, object]] = {"JPEG": {"quality": 95}, "AVIF": {"quality": 95}, "GIF": {}}
WRITTEN = [
    ("JPEG", {}),
    ("JPEG", {"progressive": True}),
    ("PNG", {}),
    ("WEBP", {}),
    ("WEBP", {"lossless": True}),
    ("AVIF", {}),
    ("GIF", {}),
    ("BMP", {}),
    ("TIFF", {}),
    ("TIFF", {"compression": "tiff_lzw"}),
]


def read(data: bytes) -> Pixels:
    return decode(data, LIMITS, field="ImageList[1]")


def refusal(look: Callable[..., object], data: bytes, limits: Limits = LIMITS) -> str:
    with pytest.raises(RestyleError) as caught:
        look(data, limits, field="ImageList[1]")
    assert caught.value.code is Code.IMAGE_UNREADABLE
    assert caught.value.field == "ImageList[1]"
    assert caught.value.message.startswith("ImageList[1] ")
    return caught.value.message


def distance(one: Pixels, other: Pixels) -> int:
    return int(np.abs(one.astype(np.int16) - other).max())


@pytest.mark.parametrize("kind", LOSSLESS)
def test_lossless_files_give_their_pixels(kind: str) -> None:
    data = pictures.encode(PICTURE, kind, **LOSSLESS[kind])
    assert check_header(data, LIMITS, field="ImageList[0]") == ImageInfo(kind, 60, 40)
    assert np.array_equal(read(data), PICTURE)


@pytest.mark.parametrize("kind", LOSSY)
def test_lossy_files_come_near(kind: str) -> None:
    data = pictures.encode(PICTURE, kind, **LOSSY[kind])
    assert check_header(data, LIMITS, field="ImageList[0]") == ImageInfo(kind, 60, 40)
    assert np.abs(read(data).astype(float) - PICTURE).mean() < 12


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_sets_the_picture_upright(kind: str, orientation: int) -> None:
    turned = {
        1: PICTURE,
        2: PICTURE[:, ::-1],
        3: PICTURE[::-1, ::-1],
        4: PICTURE[::-1],
        5: PICTURE.transpose(1, 0, 2),
        6: np.rot90(PICTURE, -1),
        7: np.rot90(PICTURE, 2).transpose(1, 0, 2),
        8: np.rot90(PICTURE),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = pictures.encode(PICTURE, kind, exif=exif, **{"JPEG": {"quality": 95}}.get(kind, {}))
    info = check_header(data, LIMITS, field="ImageList[0]")
    assert (info.height, info.width) == turned.shape[:2]
    assert np.abs(read(data).astype(float) - turned).mean() < 12


@pytest.mark.parametrize("place", [33, -12])
def test_a_header_is_read_without_decoding_wherever_a_png_keeps_its_exif(place: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    chunk = pictures.png_chunk(b"eXIf", exif.tobytes()[6:])
    plain = pictures.encode(PICTURE, "PNG")
    data = plain[:place] + chunk + plain[place:]
    assert check_header(data, LIMITS, field="ImageList[0]") == ImageInfo("PNG", 40, 60)
    assert np.array_equal(read(data), np.rot90(PICTURE, -1))
    undecodable = pictures.png_header(7000, 6000) + pictures.png_chunk(b"IDAT", b"junk") + chunk
    undecodable += pictures.png_chunk(b"IEND", b"")
    assert check_header(undecodable, LIMITS, field="ImageList[0]") == ImageInfo("PNG", 6000, 7000)


@pytest.mark.parametrize(
    "extra",
    [
        pictures.png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(1_500_000))),
        pictures.png_chunk(b"iTXt", b"Comment\0\1\0\0\0" + zlib.compress(bytes(1_500_000))),
        pictures.png_chunk(b"tEXt", b"Comment\0" + b"x" * 1_500_000),
        pictures.png_chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(20_000_000))),
        pictures.png_chunk(b"iCCP", b"p\0\0nonsense"),
        pictures.png_chunk(b"iTXt", b"nonsense"),
        *(
            pictures.png_chunk(name, bytes(9))[:-1] + b"?"
            for name in (b"tIME", b"pHYs", b"iCCP", b"tRNS", b"gAMA", b"zzZz")
        ),
    ],
)
def test_what_says_nothing_of_the_pixels_says_nothing_against_them(extra: bytes) -> None:
    assert np.array_equal(read(pictures.with_chunks(pictures.encode(PICTURE, "PNG"), extra)), PICTURE)


def test_a_large_profile_is_followed() -> None:
    profile = pictures.matrix_profile(padding=1_600_000)
    data = pictures.encode(PICTURE, "PNG", icc_profile=profile)
    assert np.array_equal(read(data), read(pictures.encode(PICTURE, "PNG", icc_profile=pictures.matrix_profile())))
    assert not np.array_equal(read(data), PICTURE)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_the_orientation_of_xmp_is_passed_over(kind: str) -> None:
    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    if kind == "PNG":
        text = pictures.png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp)
        data = pictures.with_chunks(pictures.encode(PICTURE, kind), text)
    elif kind == "TIFF":
        data = pictures.encode(PICTURE, kind, tiffinfo={700: xmp})
    else:
        data = pictures.encode(PICTURE, kind, xmp=xmp)
    assert check_header(data, LIMITS, field="ImageList[0]") == ImageInfo(kind, 60, 40)
    assert read(data).shape == (40, 60, 3)
    with Image.open(BytesIO(data)) as image:
        assert from_image(image, field="raw").shape == (40, 60, 3)
        assert image.info.get("xmp", image.info.get("XML:com.adobe.xmp"))  # what was handed over stays as it was


def test_exif_may_come_as_a_text() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    digits = exif.tobytes().hex().encode()
    text = b"Raw profile type exif\0\0" + zlib.compress(b"\nexif\n%8d\n" % (len(digits) // 2) + digits)
    data = pictures.with_chunks(pictures.encode(PICTURE, "PNG"), pictures.png_chunk(b"zTXt", text))
    assert check_header(data, LIMITS, field="ImageList[0]") == ImageInfo("PNG", 40, 60)
    assert np.array_equal(read(data), np.rot90(PICTURE, -1))


def test_broken_exif_says_nothing_against_the_pixels() -> None:
    data = pictures.encode(PICTURE, "PNG", exif=b"Exif\0\0II*\0\xff\xff\xff\x7fnonsense")
    assert np.array_equal(read(data), PICTURE)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "AVIF", "TIFF"])
def test_transparency_is_laid_on_white(kind: str) -> None:
    options: dict[str, dict[str, object]] = {
        "PNG": {},
        "TIFF": {},
        "WEBP": {"lossless": True},
        "AVIF": {"quality": 100},
    }
    opacity = np.zeros((40, 60, 1), np.uint8)
    opacity[:, :20], opacity[:, 20:40] = 255, 128
    data = pictures.encode(
        np.concatenate([PICTURE, opacity], axis=-1),
        kind,
        **options[kind],
    )
    pixels = read(data).astype(float)
    assert np.abs(pixels[:, :19] - PICTURE[:, :19]).mean() < 3
    assert np.abs(pixels[:, 21:39] - (PICTURE[:, 21:39] * (128 / 255) + 127)).mean() < 3
    assert (pixels[:, 41:] == 255).all()


def test_palette_with_transparent_colour() -> None:
    image = Image.fromarray(np.array([[0, 1, 2]], np.uint8))
    image.putpalette([10, 20, 30, 200, 100, 50, 0, 0, 0])
    for kind in ("PNG", "GIF"):
        assert read(pictures.encode(image, kind, transparency=2)).tolist() == [
            [[10, 20, 30], [200, 100, 50], [255, 255, 255]]
        ]


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("clear", [0, 1])
def test_grey_may_have_a_clear_level_at_any_depth(bits: int, clear: int) -> None:
    samples = "".join(f"{level:0{bits}b}" for level in (0, 1, 0, 1)).ljust(-(-4 * bits // 8) * 8, "0")
    packed = zlib.compress(b"\0" + int(samples, 2).to_bytes(len(samples) // 8, "big"))
    hole = pictures.png_chunk(b"tRNS", clear.to_bytes(2, "big"))
    file = (
        pictures.png_header(4, 1, bits, 0)
        + hole
        + pictures.png_chunk(b"IDAT", packed)
        + pictures.png_chunk(b"IEND", b"")
    )
    levels = [round(255 * level / ((1 << bits) - 1)) for level in (0, 1)]
    levels[clear] = 255
    assert read(file)[0, :, 0].tolist() == levels * 2
    assert from_image(Image.open(BytesIO(file)), field="raw")[0, :, 0].tolist() == levels * 2


def test_a_bitmap_nobody_could_see_is_opaque() -> None:
    flat = np.dstack([PICTURE, np.zeros((40, 60), np.uint8)])
    for opacity in (0, 255):
        flat[0, 0, 3] = opacity
        rows = np.ascontiguousarray(flat[::-1, :, [2, 1, 0, 3]]).tobytes()
        header = struct.pack(
            "<IiiHHIIiiII4I", 124, 60, 40, 1, 32, 3, len(rows), 0, 0, 0, 0, 0xFF0000, 0xFF00, 0xFF, 0xFF000000
        )
        file = b"BM" + struct.pack("<IHHI", 138 + len(rows), 0, 0, 138) + header + bytes(68) + rows
        expected = PICTURE.copy()
        if opacity:
            expected[:] = 255
            expected[0, 0] = PICTURE[0, 0]
        assert np.array_equal(read(file), expected)


def test_what_a_gifs_first_frame_leaves_free_is_clear() -> None:
    image = Image.fromarray(np.array([[0, 1], [1, 0]], np.uint8))
    image.putpalette([10, 20, 30, 200, 100, 50])
    for options in ({}, {"transparency": 1}):
        file = bytearray(pictures.encode(image, "GIF", **options))
        file[6:10] = struct.pack("<HH", 4, 3)
        at = file.index(b"\x2c", 13 + (3 << (file[10] & 7) + 1))
        file[at + 1 : at + 5] = struct.pack("<HH", 1, 1)
        pixels = read(bytes(file))
        assert pixels.shape == (3, 4, 3)
        assert pixels[1, 1].tolist() == [10, 20, 30]
        assert pixels[1, 2].tolist() == ([255] * 3 if options else [200, 100, 50])
        assert (pixels[0] == 255).all()
        assert (pixels[:, 0] == 255).all()
        assert (pixels[:, 3] == 255).all()


@pytest.mark.parametrize(
    ("kind", "change", "says"),
    [
        ("BMP", (28, struct.pack("<HI", 16, 3)), "Unsupported BMP bitfields layout"),
        ("BMP", (28, struct.pack("<HI", 64, 0)), "Unsupported BMP pixel depth"),
        ("JPEG", (-1, b"\x0c"), "12 bits a sample"),
    ],
)
def test_whole_files_of_a_kind_that_is_not_supported_are_not_called_damaged(
    kind: str, change: tuple[int, bytes], says: str
) -> None:
    file = bytearray(pictures.encode(PICTURE, kind)) + bytes(40_000 if kind == "BMP" else 0)
    at = change[0] if change[0] >= 0 else file.index(b"\xff\xc0") + 4
    file[at : at + len(change[1])] = change[1]
    message = refusal(decode, bytes(file))
    assert says in message
    assert "not supported" in message
    assert "damaged" not in message


def test_black_and_white_and_grey() -> None:
    grey = PICTURE[..., 1]
    assert np.array_equal(read(pictures.encode(grey, "PNG")), np.stack([grey] * 3, axis=-1))
    assert set(np.unique(read(pictures.encode(Image.fromarray(grey).convert("1"), "PNG")))) == {0, 255}


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF", "AVIF"])
def test_of_several_frames_the_first_counts(kind: str) -> None:
    more = [Image.new("RGB", (60, 40), "red"), Image.new("RGB", (60, 40), "blue")]
    pixels = read(pictures.encode(Image.new("RGB", (60, 40), "lime"), kind, save_all=True, append_images=more))
    assert distance(pixels, np.full((40, 60, 3), (0, 255, 0), np.uint8)) <= 4


def test_a_telephones_two_in_one_jpeg_is_a_jpeg() -> None:
    image = Image.fromarray(PICTURE)
    data = pictures.encode(image, "MPO", save_all=True, append_images=[image.rotate(180)], quality=95)
    assert check_header(data, LIMITS, field="ImageList[0]").format == "JPEG"
    assert np.abs(read(data).astype(float) - PICTURE).mean() < 5


def test_sixteen_bit_grey_uses_all_bits() -> None:
    ramp = np.arange(0, 65536, 16, dtype=np.uint16).reshape(64, 64)
    expected = np.stack([np.round(ramp / 257)] * 3, axis=-1)
    assert np.array_equal(read(pictures.png16(ramp)), expected)
    assert np.array_equal(read(pictures.encode(ramp, "TIFF")), expected)


def test_sixteen_bit_colour_and_its_clear_colour() -> None:
    ramp = np.arange(0, 65536, 16, dtype=np.uint16).reshape(64, 64)
    colour = np.stack([ramp, ramp.T, ramp[::-1]], axis=-1)
    assert np.abs(read(pictures.png16(colour)) - colour / 257).max() < 1
    first = (int(colour[0, 0, 0]), int(colour[0, 0, 1]), int(colour[0, 0, 2]))
    assert read(pictures.png16(colour, clear=first))[0, 0].tolist() == [255, 255, 255]
    assert read(pictures.png16(ramp, clear=(160,)))[0, 9:12, 0].tolist() == [1, 255, 1]


@pytest.mark.parametrize("channels", [3, 4])
def test_sixteen_bits_in_planes_that_are_not_compressed(channels: int) -> None:
    ramp = np.arange(0, 65536, 16, dtype=np.uint16).reshape(64, 64)
    planes = np.stack([ramp, ramp.T, ramp[::-1], np.full_like(ramp, 65535)][:channels])
    tags = {256: (64,), 257: (64,), 258: (16,) * channels, 259: (1,), 262: (2,), 277: (channels,), 284: (2,)}
    tags |= {273: tuple(8 + 8192 * n for n in range(channels)), 278: (64,), 279: (8192,) * channels}
    data = pictures.tiff(tags | ({338: (2,)} if channels == 4 else {}), pixels=planes.tobytes())
    for pixels in (read(data), from_image(Image.open(BytesIO(data)), field="raw")):
        assert np.abs(pixels - np.moveaxis(planes[:3], 0, -1) / 257).max() < 1


SMALL = {256: (16,), 257: (16,), 258: (8, 8, 8), 259: (1,), 262: (2,), 273: (8,), 277: (3,), 278: (16,), 279: (768,)}


@pytest.mark.parametrize(
    "data",
    [
        pictures.tiff(SMALL | {50706: (0x01040000,)}),
        pictures.tiff(SMALL | {254: (1,)}, SMALL | {262: (32803,), 258: (14,), 277: (1,)}, below=1),
        pictures.tiff(SMALL, SMALL | {262: (34892,), 258: (16, 16, 16), 279: (1536,)}),
        pictures.tiff(SMALL | {262: (32803,), 258: (12,), 259: (65535,), 277: (1,)}),
        pictures.tiff(SMALL | {254: (1,), 271: (0x4E4F53,)}, SMALL | {259: (34713,)}, below=1),
        b"II*\0\x10\0\0\0CR\2\0" + bytes(4) + pictures.tiff(SMALL | {271: (0x4E4143,)}, pixels=b"")[8:],
        b"IIU\0" + bytes(99),
        b"FUJIFILMCCD-RAW 0201" + bytes(99),
        b"\0\0\0\x18ftypcrx " + bytes(99),
    ],
    ids=["DNG", "thumbnail first", "linear", "filter array", "of a maker", "CR2", "RW2", "RAF", "CR3"],
)
def test_camera_raw_is_called_so(data: bytes) -> None:
    assert "is a camera RAW file, which is not supported" in refusal(check_header, data)


def test_a_thumbnail_is_not_taken_for_its_picture() -> None:
    assert "begins with a thumbnail" in refusal(decode, pictures.tiff(SMALL | {254: (1,)}, SMALL))
    assert read(pictures.tiff(SMALL | {254: (1,)})).shape == (16, 16, 3)


@pytest.mark.parametrize(
    ("tags", "says"),
    [
        ({258: (32, 32, 32), 339: (3, 3, 3), 279: (3072,)}, "32-bit floating point RGB"),
        ({258: (16, 16), 262: (1,), 277: (2,), 338: (2,), 279: (1024,)}, "16-bit grey with alpha"),
        ({258: (12, 12, 12)}, "12-bit RGB"),
        ({259: (34712,)}, "compression 34712"),
    ],
)
def test_what_a_tiff_is_made_of_is_said_where_it_is_not_supported(tags: dict[int, tuple[int, ...]], says: str) -> None:
    message = refusal(decode, pictures.tiff(SMALL | tags))
    assert says in message
    assert "not supported" in message
    assert "damaged" not in message


@pytest.mark.parametrize(("mode", "says"), [("F", "floating point"), ("I", "32-bit")])
def test_samples_without_a_range_are_refused(mode: str, says: str) -> None:
    assert says in refusal(decode, pictures.encode(Image.new(mode, (5, 4)), "TIFF"))


@pytest.mark.parametrize(("kind", "options"), WRITTEN)
@pytest.mark.parametrize("kept", [0.02, 0.1, 0.5, 0.9, 0.98])
def test_cut_off_files_are_refused_before_decoding(kind: str, options: dict[str, object], kept: float) -> None:
    data = pictures.encode(pictures.picture(200, 300), kind, **options)
    cut = data[: int(len(data) * kept)]
    assert refusal(check_header, cut) == refusal(decode, cut)


def test_damage_inside_is_found() -> None:
    assert "cut off" in refusal(check_header, pictures.png_header(9, 9) + pictures.png_chunk(b"IEND", b""))
    flipped = bytearray(pictures.encode(PICTURE, "PNG"))
    flipped[len(flipped) // 2] ^= 1
    assert "cut off or damaged" in refusal(check_header, bytes(flipped))
    scrambled = bytearray(pictures.encode(PICTURE, "TIFF", compression="tiff_deflate"))
    scrambled[100:200] = b"\xff" * 100
    assert "damaged TIFF" in refusal(decode, bytes(scrambled))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is empty"),
        (b"hello", "not a readable picture"),
        (bytes(1000), "not a readable picture"),
        (b"%PDF-1.7 ...", "PDF"),
        (b"PK\x03\x04rest", "ZIP"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIF"),
        (b"\xff\xd8\xff\xe0", "not a whole JPEG"),
        (b"P6 1 1 255 abc", "not a readable picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "not a readable picture"),
    ],
)
def test_other_files_are_named(data: bytes, says: str) -> None:
    message = refusal(check_header, data)
    assert says in message
    assert "JPEG" in message or "whole" in message
    assert refusal(decode, data) == message


def test_a_polyglot_is_its_picture_and_nothing_else() -> None:
    assert np.array_equal(read(pictures.encode(PICTURE, "PNG") + b"PK\x03\x04 a hidden archive"), PICTURE)
    page = b"<html><script>alert(1)</script></html>"
    assert "not a readable picture" in refusal(check_header, page + pictures.encode(PICTURE, "PNG"))


def test_bombs_are_refused_by_their_header() -> None:
    assert "30000 x 30000 = 900,000,000 pixels" in refusal(check_header, pictures.bomb())
    message = refusal(check_header, pictures.bomb(10_000, 10_000))
    assert "10000 x 10000 = 100,000,000 pixels; at most 64,000,000" in message
    assert "RESTYLE_MAX_IMAGE_PIXELS raises that" in message
    with warnings.catch_warnings(record=True) as heard:
        refusal(decode, pictures.bomb(10_000, 10_000))
    assert not heard


def test_limits_hold_to_the_byte_and_the_pixel() -> None:
    data = pictures.encode(PICTURE, "PNG")
    exact = Limits(max_bytes=len(data), max_pixels=2400)
    assert decode(data, exact, field="ImageList[0]").shape == (40, 60, 3)
    assert "at most" in refusal(decode, data, Limits(len(data) - 1, 2400))
    assert "60 x 40 = 2,400 pixels; at most 2,399" in refusal(decode, data, Limits(len(data), 2399))


@pytest.mark.parametrize("shape", [(1, 1), (1, 30_000), (30_000, 1)])
def test_thin_and_tiny_pictures_are_pictures(shape: tuple[int, int]) -> None:
    assert read(pictures.encode(np.zeros((*shape, 3), np.uint8), "PNG")).shape == (*shape, 3)
