"""From an encoded file, possibly a hostile one, to pixels."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from threading import RLock

import numpy as np
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from restyle.images.colour import UnsupportedColour, to_srgb
from restyle.images.limits import Limits
from restyle.images.pixels import Pixels
from restyle.images.whole import is_whole, png_chunks
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF")
"""The decoders that are ever tried. Pillow knows forty more; each is one more way in."""

PLUGINS = (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)
"""Imported by name, so that Pillow need not import all its plugins to find these."""

READABLE = "JPEG, PNG, WebP, AVIF, GIF, BMP or TIFF"
ORIENTATION = 0x0112
TURNED = frozenset((5, 6, 7, 8))
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation -> what sets the picture upright."""

Beginnings = tuple[tuple[int, tuple[bytes, ...], str], ...]
"""(position, what stands there, name of what it is)."""

OWN: Beginnings = (
    (0, (b"\xff\xd8\xff",), "JPEG"),
    (0, (b"\x89PNG\r\n\x1a\n",), "PNG"),
    (8, (b"WEBP",), "WebP"),
    (4, (b"ftypavif", b"ftypavis"), "AVIF"),
    (0, (b"GIF87a", b"GIF89a"), "GIF"),
    (0, (b"II*\0", b"MM\0*"), "TIFF"),
)
"""The readable formats."""

STRANGERS: Beginnings = (
    (4, (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftyphevc"), "a HEIC photograph"),
    (0, (b"%PDF",), "a PDF document"),
    (0, (b"PK\x03\x04",), "a ZIP archive"),
    (0, (b"<svg", b"<?xml"), "an SVG or XML text"),
    (0, (b"8BPS",), "a Photoshop document"),
    (0, (b"\xff\x0a", b"\x00\x00\x00\x0cJXL "), "a JPEG XL picture"),
    (0, (b"\x00\x00\x00\x0cjP  ", b"\xff\x4f\xff\x51"), "a JPEG 2000 picture"),
)
"""Other files that people do send."""

_warnings = RLock()


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """What a header says: ``format`` is one of ``FORMATS``, ``width`` and ``height`` in pixels, upright."""

    format: str
    width: int
    height: int


def check_header(data: bytes, limits: Limits, *, field: str) -> ImageInfo:
    """Look at an encoded image without decoding its pixels: cheap enough for every image of every request.

    ``field`` is the request field to blame, such as ``ImageList[1]``.

    Raises:
        RestyleError: ``IMAGE_UNREADABLE`` when the file is empty, of no readable format, cut off, damaged as far as
            checksums tell, or over the limits.
    """
    with _quiet(), _open(data, limits, field) as image:
        width, height = image.size
        if _orientation(image, data if image.format == "PNG" else b"") in TURNED and not _turns_itself(image):
            width, height = height, width
        return ImageInfo(_format(image), width, height)


def decode(data: bytes, limits: Limits, *, field: str) -> Pixels:
    """The first frame of an encoded image, upright, as uint8 (H, W, 3) in sRGB, transparent parts on white.

    Whatever else the file holds (metadata, further frames, bytes behind its end) is left behind.

    Raises:
        RestyleError: ``IMAGE_UNREADABLE``, as ``check_header``; also when pixels are damaged or have no defined range.
    """
    with _quiet(), _open(data, limits, field) as image:
        try:
            image.load()
        except MemoryError:
            raise
        except Exception as error:  # a decoder may fail in any way on hostile bytes
            found = f"is a damaged {_format(image)} file ({_reason(error)})"
            raise _unreadable(field, f"{found}; send it again, whole") from error
        return _upright(image, field)


def from_image(image: Image.Image, *, field: str) -> Pixels:
    """A Pillow image that somebody else opened or made, as ``decode`` returns it: upright, sRGB, on white.

    Raises:
        RestyleError: ``IMAGE_UNREADABLE`` when its file is damaged or its pixels have no defined range.
    """
    with _quiet():
        try:
            image.load()
        except (OSError, SyntaxError, ValueError) as error:
            raise _unreadable(field, f"is an image whose file cannot be read ({_reason(error)})") from error
        return _upright(image, field)


def _upright(image: Image.Image, field: str) -> Pixels:
    turn = None if _turns_itself(image) else TURNS.get(_orientation(image))
    try:
        rgb = to_srgb(image)
    except UnsupportedColour as error:
        raise _unreadable(field, f"cannot be shown: {error}; send 8 or 16 bits per channel") from error
    return np.array(rgb if turn is None else rgb.transpose(turn))


@contextmanager
def _open(data: bytes, limits: Limits, field: str) -> Iterator[ImageFile.ImageFile]:
    """A lazily opened image that is within the limits and all there."""
    if not data:
        raise _unreadable(field, f"is empty; send a {READABLE} file")
    if len(data) > limits.max_bytes:
        raise _unreadable(field, f"has {len(data):,} bytes; at most {limits.max_bytes:,} are accepted")
    try:
        opened = Image.open(BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise _unreadable(field, f"has too many pixels; at most {limits.max_pixels:,} are accepted") from error
    except Exception as error:  # a parser may fail in any way on hostile bytes
        raise _unreadable(field, _identify(data)) from error
    with opened as image:
        width, height = image.size
        if width * height > limits.max_pixels:
            found = f"{width} x {height} = {width * height:,} pixels"
            raise _unreadable(field, f"has {found}; at most {limits.max_pixels:,} are accepted")
        if not is_whole(data, image):
            raise _unreadable(field, f"is not a whole {_format(image)} file: it is cut off or damaged; send it again")
        yield image


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep decoders' warnings (odd metadata, mostly) from the user; what is wrong with pixels arrives as an error.

    The warning filters belong to the process, hence one thread at a time.
    """
    with _warnings, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _orientation(image: Image.Image, png: bytes = b"") -> int:
    """EXIF orientation 1..8; 1 where metadata is missing or broken, which says nothing against the pixels.

    ``png`` is the file of a PNG that is not decoded yet, and shall not be: its EXIF may stand behind the pixels.
    """
    try:
        exif = image.getexif() if not png else _png_exif(image, png)
        return int(exif.get(ORIENTATION, 1))
    except Exception:  # noqa: BLE001 - broken EXIF fails in every way
        return 1


def _png_exif(image: Image.Image, png: bytes) -> Image.Exif:
    """Pillow's own ``getexif`` of a PNG decodes it whole; this looks at its chunks."""
    if "exif" in image.info or "Raw profile type exif" in image.info:
        return Image.Image.getexif(image)
    exif = Image.Exif()
    for name, start, end in png_chunks(png):
        if name == b"eXIf":
            exif.load(png[start + 4 : end])
    return exif


def _turns_itself(image: Image.Image) -> bool:
    """Pillow states a TIFF's size upright, and turns it while loading."""
    return image.format == "TIFF"


def _format(image: Image.Image) -> str:
    """MPO is what phones call a JPEG with a second picture behind it."""
    return "JPEG" if image.format == "MPO" else image.format or ""


def _identify(data: bytes) -> str:
    """Why a file could not be opened, from its first bytes."""
    for at, beginnings, name in OWN:
        if data.startswith(beginnings, at):
            return f"begins as {name} but is damaged or breaks off; send it again, whole"
    for at, beginnings, name in STRANGERS:
        if data.startswith(beginnings, at):
            return f"is {name}; send a {READABLE} file"
    return f"is not a readable picture; send a {READABLE} file"


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _unreadable(field: str, what: str) -> RestyleError:
    return RestyleError(Code.IMAGE_UNREADABLE, f"{field} {what}", field=field)
