"""From an encoded file, possibly a hostile one, to pixels."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO

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
from restyle.images.heif import HeifImage
from restyle.images.limits import Limits
from restyle.images.opened import before_loading, said_by_png, without_xmp
from restyle.images.pixels import Pixels
from restyle.images.quiet import quiet
from restyle.images.resize import resized
from restyle.images.structure import png, tiff
from restyle.images.structure.frame import Cicp, Frame, Unsound
from restyle.images.structure.read import READABLE, read
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF")
"""Pillow's decoders that are ever tried. It knows forty more; each is one more way in. HEIF has one of its own."""

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

SHRUNK = 8
"""By how much a JPEG is shrunk while it is only checked: its data are read whole, and its pixels take a 64th."""
SAMPLE = 8
"""Side in pixels of what is converted to sRGB to see whether the whole can be."""
REASON_CHARACTERS = 160


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """What a header says: ``format`` is one of ``FORMATS``, ``width`` and ``height`` in pixels, upright."""

    format: str
    width: int
    height: int


def read_frame(data: bytes, limits: Limits, *, field: str) -> Frame:
    """What the structure of an encoded image says, without any decoder: bounded in time and memory whatever it is.

    ``field`` is the request field to blame, such as ``ImageList[1]``.

    Raises:
        RestyleError: ``IMAGE_UNREADABLE`` when the file is empty, of no readable format, cut off, damaged as far as
            checksums tell, or over the limits, also those of metadata, segments, chunks, strips and scans.
    """
    if not data:
        raise _unreadable(field, f"is empty; send a {READABLE} file")
    if len(data) > limits.max_bytes:
        most = f"{limits.max_bytes:,} are accepted (RESTYLE_MAX_IMAGE_BYTES raises that)"
        raise _unreadable(field, f"has {len(data):,} bytes; at most {most}")
    try:
        frame = read(data)
    except Unsound as error:
        raise _unreadable(field, str(error)) from None
    pixels = frame.width * frame.height
    if pixels > limits.max_pixels:
        found = f"{frame.width} x {frame.height} = {pixels:,} pixels"
        most = f"{limits.max_pixels:,} are accepted (RESTYLE_MAX_IMAGE_PIXELS raises that)"
        raise _unreadable(field, f"has {found}; at most {most}")
    return frame


def check_header(data: bytes, limits: Limits, *, field: str) -> ImageInfo:
    """Look at an encoded image without decoding its pixels. Raises RestyleError as :func:`read_frame`."""
    with quiet(), _open(data, read_frame(data, limits, field=field), field) as image:
        return _info(image)


def check_pixels(data: bytes, frame: Frame, *, field: str) -> None:
    """Decode an encoded image of that frame for real, in the least memory, and keep nothing.

    What passes here, :func:`decode` can decode. Raises RestyleError as it.
    """
    with quiet(), _open(data, frame, field) as image:
        image.draft(None, (max(1, image.width // SHRUNK), max(1, image.height // SHRUNK)))
        _load(image, field)
        _upright(image.crop((0, 0, min(SAMPLE, image.width), min(SAMPLE, image.height))), field, frame.cicp)


def views(data: bytes, frame: Frame, sides: Sequence[int], *, field: str) -> tuple[ImageInfo, list[Pixels]]:
    """What the header says, and the image as :func:`decode` gives it, once for each of ``sides``: no side is longer
    than that many pixels. The largest comes first.

    Raises RestyleError as :func:`decode`.
    """
    with quiet(), _open(data, frame, field) as image:
        info = _info(image)
        part = min(1.0, sides[0] / max(image.size))
        image.draft(None, (max(1, int(image.width * part)), max(1, int(image.height * part))))
        _load(image, field)
        largest = _upright(_thinned(image, sides[0]), field, frame.cicp)
    made: list[Pixels] = []
    for side in sides:
        source = made[-1] if made else largest
        height, width = source.shape[:2]
        scale = min(1.0, side / max(width, height))
        made.append(resized(source, max(1, round(width * scale)), max(1, round(height * scale))))
    return info, made


def pixels_of_views(frame: Frame, sides: Sequence[int]) -> int:
    """How many pixels :func:`views` has at hand at once, at most, beside those of the file."""
    return min(frame.width * frame.height, (4 * sides[0]) ** 2) if sides else 0


def _thinned(image: Image.Image, side: int) -> Image.Image:
    """Every second, third, ... pixel of an image that is far larger than ``side``, so that little of it is held twice.

    Averaging knows fewer kinds of pixels than decoding does: no palettes, no 16 bits. What is left is averaged later.
    """
    step = max(image.size) // (2 * side)
    if step < 2:
        return image
    small = image.resize((max(1, image.width // step), max(1, image.height // step)), Image.Resampling.NEAREST)
    small.format = image.format
    return small


def decode(data: bytes, limits: Limits, *, field: str, keep_alpha: bool = False) -> Pixels:
    """The first frame of an encoded image, upright, as uint8 (H, W, 3) in sRGB, transparent parts on white.

    With ``keep_alpha`` it is (H, W, 4) where the image says how opaque it is, its colours as they are. Whatever else
    the file holds (metadata, further frames, bytes behind its end) is left behind.

    Raises:
        RestyleError: ``IMAGE_UNREADABLE``, as :func:`read_frame`; also when pixels are damaged or have no defined
            range.
    """
    frame = read_frame(data, limits, field=field)
    with quiet(), _open(data, frame, field) as image:
        _load(image, field)
        return _upright(image, field, frame.cicp, keep_alpha=keep_alpha)


def from_image(image: Image.Image, *, field: str, keep_alpha: bool = False) -> Pixels:
    """A Pillow image that somebody else opened or made, as :func:`decode` returns it.

    Raises:
        RestyleError: ``IMAGE_UNREADABLE`` when its file is damaged or its pixels have no defined range.
    """
    with quiet(), without_xmp(image):
        try:
            before_loading(image)
            image.load()
        except (OSError, SyntaxError, ValueError) as error:
            raise _unreadable(field, f"is an image whose file cannot be read ({_reason(error)})") from error
        return _upright(image, field, keep_alpha=keep_alpha)


def _load(image: Image.Image, field: str) -> None:
    try:
        image.load()
    except MemoryError:
        raise
    except Exception as error:  # a decoder may fail in any way on hostile bytes
        raise _damaged(field, _format(image), error) from error


def _upright(image: Image.Image, field: str, cicp: Cicp | None = None, *, keep_alpha: bool = False) -> Pixels:
    turn = None if _turns_itself(image) else TURNS.get(_orientation(image))
    try:
        rgb = to_srgb(image, cicp, keep_alpha=keep_alpha)
    except UnsupportedColour as error:
        raise _unreadable(field, f"is not supported: {error}; send 8 or 16 bits per channel") from error
    except MemoryError:
        raise
    except Exception as error:  # Pillow takes what a file says of its colours as it is
        raise _damaged(field, _format(image), error) from error
    return np.array(rgb if turn is None else rgb.transpose(turn))


@contextmanager
def _open(data: bytes, frame: Frame, field: str) -> Iterator[ImageFile.ImageFile]:
    """A lazily opened image, no larger than its frame."""
    try:
        opened = _opened(data, frame)
    except MemoryError:
        raise
    except Exception as error:  # a parser may fail in any way on hostile bytes
        if frame.format == "TIFF":
            what = f"is a TIFF file of a kind that is not supported ({tiff.samples(data)})"
            raise _unreadable(field, f"{what}; send 8 or 16 bits per channel, grey or RGB") from error
        if str(error).startswith("Unsupported"):  # so Pillow says of files in which nothing is broken
            what = f"is a {frame.format} file of a kind that is not supported ({_reason(error)})"
            raise _unreadable(field, f"{what}; send it as PNG or JPEG") from error
        raise _unreadable(field, f"begins as {frame.format} but is damaged; send it again, whole") from error
    with opened as image, without_xmp(image):
        if image.width * image.height > frame.width * frame.height:
            raise _unreadable(field, f"is a damaged {frame.format} file: its sizes contradict each other")
        if frame.format == "PNG":
            image.info.update(said_by_png(data))
        before_loading(image)
        yield image


def _opened(data: bytes, frame: Frame) -> ImageFile.ImageFile:
    if frame.format == "HEIF":
        image: ImageFile.ImageFile = HeifImage(BytesIO(data))
        return image
    file = BytesIO(png.pixels_alone(data) if frame.format == "PNG" else data)
    return Image.open(file, formats=(frame.format,))


def _info(image: Image.Image) -> ImageInfo:
    width, height = image.size
    if _orientation(image) in TURNED and not _turns_itself(image):
        width, height = height, width
    return ImageInfo(_format(image), width, height)


def _orientation(image: Image.Image) -> int:
    """EXIF orientation 1..8; 1 where metadata is missing or broken, which says nothing against the pixels.

    Pillow's own ``getexif`` decodes a PNG whole for it, and believes XMP where there is no Exif, which viewers do not.
    """
    exif = Image.Exif()
    try:
        exif.load(image.info.get("exif", b""))
        return int(exif.get(ORIENTATION, 1))
    except Exception:  # noqa: BLE001 - broken EXIF fails in every way
        return 1


def _turns_itself(image: Image.Image) -> bool:
    """Sizes of TIFF and HEIF are stated upright, and they are turned while loading."""
    return image.format in ("TIFF", "HEIF")


def _format(image: Image.Image) -> str:
    """MPO is what phones call a JPEG with a second picture behind it."""
    return "JPEG" if image.format == "MPO" else image.format or ""


def _damaged(field: str, kind: str, error: Exception) -> RestyleError:
    return _unreadable(field, f"is a damaged {kind} file ({_reason(error)}); send it again, whole")


def _reason(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:REASON_CHARACTERS]


def _unreadable(field: str, what: str) -> RestyleError:
    return RestyleError(Code.IMAGE_UNREADABLE, f"{field} {what}", field=field)
