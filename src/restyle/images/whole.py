"""Whether an encoded image is all there and as it was written, told without decoding a pixel.

A cut-off upload is the commonest broken image. Decoders notice it only after the work is done; the container formats
say it for almost nothing. Of damage inside, only PNG tells (12 ms for 20 MB); elsewhere decoding may still find it.
"""

import zlib
from collections.abc import Iterator

from PIL import BmpImagePlugin, Image, TiffImagePlugin

JPEG_END = b"\xff\xd9"
JPEG_SCAN = 0xDA
JPEG_BARE = frozenset((0x01, *range(0xD0, 0xD9)))
"""Markers without a length: TEM, RST0..7 and SOI."""

PNG_PIXELS = frozenset((b"IHDR", b"PLTE", b"IDAT"))

STRIP_TAGS = ((273, 279), (324, 325))
"""TIFF: (offsets, byte counts) of strips and of tiles."""


def is_whole(data: bytes, image: Image.Image) -> bool:
    """Whether ``data``, opened lazily as ``image``, reaches the end that its own structure promises."""
    match image.format:
        case "JPEG" | "MPO":
            return _jpeg(data)
        case "PNG":
            return _png(data)
        case "WEBP":
            return 8 + int.from_bytes(data[4:8], "little") <= len(data)
        case "GIF":
            return _gif(data)
        case "TIFF":
            return _tiff(data, image)
        case "AVIF":
            return _avif(data)
        case "BMP":
            return _bmp(data, image)
        case _:
            return True


def _jpeg(data: bytes) -> bool:
    """Skip the segments before the first scan (thumbnails in them have ends of their own), then look for the end."""
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            return True  # not in order; decoding will tell
        marker = data[at + 1]
        if marker == JPEG_SCAN:
            return data.find(JPEG_END, at) >= 0
        if marker == 0xFF:
            at += 1
        elif marker in JPEG_BARE:
            at += 2
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return False


def png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Each whole chunk of a PNG up to ``IEND``: its name, where its name begins, where its checksum begins."""
    at = 8
    while at + 12 <= len(data):
        name = data[at + 4 : at + 8]
        end = at + 8 + int.from_bytes(data[at : at + 4], "big")
        yield name, at + 4, end
        if name == b"IEND":
            return
        at = end + 4


def _png(data: bytes) -> bool:
    """Look for pixels and ``IEND``, and add up the chunks that pixels depend on."""
    view = memoryview(data)
    name, pixels = b"", False
    for name, start, end in png_chunks(data):
        if name in PNG_PIXELS and zlib.crc32(view[start:end]).to_bytes(4, "big") != data[end : end + 4]:
            return False
        pixels = pixels or name == b"IDAT"
    return pixels and name == b"IEND"


def _gif(data: bytes) -> bool:
    """Walk the blocks to the end of the first frame."""
    at = 13 + _gif_palette(data[10:11])
    while at < len(data):
        block = data[at]
        if block == 0x21:  # extension: label, then sub-blocks
            at = _gif_sub_blocks(data, at + 2)
        elif block == 0x2C:  # frame: position, flags, palette, code size, then sub-blocks
            return _gif_sub_blocks(data, at + 11 + _gif_palette(data[at + 9 : at + 10])) <= len(data)
        else:
            return True  # not in order; decoding will tell
    return False


def _gif_palette(flags: bytes) -> int:
    return 3 << (flags[0] & 7) + 1 if flags and flags[0] & 0x80 else 0


def _gif_sub_blocks(data: bytes, at: int) -> int:
    """Where the sub-blocks that start at ``at`` end; past the data's end when they are cut off."""
    while at < len(data) and data[at]:
        at += 1 + data[at]
    return at + 1


def _tiff(data: bytes, image: Image.Image) -> bool:
    """Whether every strip or tile the directory names lies inside the file."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return True
    for offsets, counts in STRIP_TAGS:
        if offsets in image.tag_v2 and counts in image.tag_v2:
            ends = (offset + count for offset, count in zip(image.tag_v2[offsets], image.tag_v2[counts], strict=False))
            if max(ends, default=0) > len(data):
                return False
    return True


def _avif(data: bytes) -> bool:
    """Whether every top-level box lies inside the file; a size of 1 means 64 bits follow, 0 means up to the end."""
    at = 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        if size < 8:
            return True
        at += size
    return at <= len(data)


def _bmp(data: bytes, image: Image.Image) -> bool:
    """Whether the rows of an uncompressed bitmap are all there."""
    if not isinstance(image, BmpImagePlugin.BmpImageFile) or not image.tile or image.tile[0].codec_name != "raw":
        return True
    _, _, offset, arguments = image.tile[0]
    stride = arguments[1] if isinstance(arguments, tuple) else 0
    return offset + int(stride) * image.height <= len(data)
