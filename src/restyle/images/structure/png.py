"""PNG (ISO/IEC 15948): chunks with checksums, up to ``IEND``.

Texts and profiles may unpack to any size, and decoders refuse a picture for them. So a decoder is given those chunks
alone that pixels are made of, and what a file says of its colours and its orientation is looked up here.
"""

import zlib
from collections.abc import Iterator

from restyle.images.structure.frame import MIB, Cicp, Frame, Metadata, Unsound, at_most, cut_off

DATA_CHUNKS = 100_000
"""Most chunks of pixels. 40 MB in the chunks of 8 KiB that libpng writes are 5,000."""
SIGNATURE = 8
SUMMED = frozenset((b"IHDR", b"PLTE", b"IDAT"))
"""The chunks that pixels depend on. Of the others, one whose checksum is wrong counts for nothing."""
SAYING = frozenset((b"iCCP", b"cICP", b"gAMA", b"cHRM", b"sRGB", b"eXIf"))
"""The chunks that say how pixels are meant."""
PROFILE_BYTES = 8 * MIB
"""Most bytes that a profile may unpack to. Those of printers have up to three MiB."""
EXIF_TEXT = b"Raw profile type exif\0"
"""How a text of ImageMagick begins that holds Exif, in hexadecimal digits."""
EXIF_TEXT_BYTES = 256 * 1024
FRAMES = frozenset((b"IDAT", b"fdAT", b"fcTL"))
"""Pixels, also those of the further frames of an animation."""
PALETTE = 3
BYTES_PER_PIXEL = 4


def read(data: bytes) -> Frame:
    """The frame of a whole PNG. Raises Unsound."""
    view = memoryview(data)
    metadata, count = Metadata(), 0
    width = height = 0
    name, palette, pixels = b"", False, False
    for name, start, end in chunks(data):
        if name in SUMMED and not _whole(view, start, end):
            raise cut_off("PNG")
        if (name == b"IHDR") != (width == 0):  # the first chunk, and only the first
            raise cut_off("PNG")
        if name == b"IHDR":
            width = int.from_bytes(data[start + 4 : start + 8], "big")
            height = int.from_bytes(data[start + 8 : start + 12], "big")
            palette = data[start + 13 : start + 14] == bytes([PALETTE])
            if end - start < 17 or not width or not height:
                raise cut_off("PNG")
        elif name in FRAMES:
            if palette and name == b"IDAT":
                raise Unsound("is a PNG file whose palette is missing; send it again, whole")
            pixels = pixels or name == b"IDAT"
            count += 1
            at_most("chunks of pixels", count, DATA_CHUNKS)
        else:
            palette = palette and name != b"PLTE"
            metadata.add(end - start)
    if not pixels or name != b"IEND":
        raise cut_off("PNG")
    return Frame("PNG", width, height, BYTES_PER_PIXEL * width * height, _cicp(sayings(data).get(b"cICP", b"")))


def chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Each chunk of a PNG up to ``IEND``: its name, where its name begins, where its checksum begins."""
    at = SIGNATURE
    while at + 12 <= len(data):
        name = data[at + 4 : at + 8]
        end = at + 8 + int.from_bytes(data[at : at + 4], "big")
        yield name, at + 4, end
        if name == b"IEND":
            return
        at = end + 4


def pixels_alone(data: bytes) -> bytes:
    """A PNG of the first frame's pixels, palette and clear colours, and of nothing else that ``data`` holds."""
    view = memoryview(data)
    once = {b"IHDR", b"PLTE", b"tRNS"}
    pieces = [view[:SIGNATURE]]
    for name, start, end in chunks(data):
        if name in (b"IDAT", b"IEND") or (name in once and _whole(view, start, end)):
            once.discard(name)
            pieces.append(view[start - 4 : end + 4])
    return b"".join(pieces)


def sayings(data: bytes) -> dict[bytes, bytes]:
    """What the ``SAYING`` chunks hold, by name: of each the first that is whole. Exif may come from a text."""
    view = memoryview(data)
    found: dict[bytes, bytes] = {}
    for name, start, end in chunks(data):
        if name in SAYING and name not in found and _whole(view, start, end):
            found[name] = data[start + 4 : end]
        elif name in (b"tEXt", b"zTXt") and data.startswith(EXIF_TEXT, start + 4):
            found.setdefault(b"eXIf", _exif(name, data[start + 4 + len(EXIF_TEXT) : end]))
    return found


def profile(packed: bytes) -> bytes | None:
    """The ICC profile of an ``iCCP`` chunk; None where it is broken, or unpacks to more than any profile has."""
    _, _, rest = packed.partition(b"\0")
    return _unpacked(rest[1:], PROFILE_BYTES)


def _cicp(said: bytes) -> Cicp | None:
    """The code points of a ``cICP`` chunk, whose matrix must be that of RGB."""
    return Cicp(said[0], said[1], full=bool(said[3])) if len(said) == 4 and not said[2] else None


def _exif(name: bytes, text: bytes) -> bytes:
    digits = text if name == b"tEXt" else _unpacked(text[1:], EXIF_TEXT_BYTES)
    try:
        # three lines come first: an empty one, the name, and the length
        return bytes.fromhex("".join((digits or b"")[:EXIF_TEXT_BYTES].decode("latin-1").split("\n")[3:]))
    except ValueError:
        return b""


def _unpacked(packed: bytes, most: int) -> bytes | None:
    try:
        found = zlib.decompressobj().decompress(packed, most + 1)
    except zlib.error:
        return None
    return found if len(found) <= most else None


def _whole(view: memoryview, start: int, end: int) -> bool:
    """Whether the checksum at ``end`` is that of the chunk whose name begins at ``start``."""
    return zlib.crc32(view[start:end]).to_bytes(4, "big") == view[end : end + 4]
