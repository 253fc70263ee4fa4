"""PNG (ISO/IEC 15948): chunks with checksums, up to ``IEND``."""

import zlib
from collections.abc import Iterator

from restyle.images.structure.frame import Frame, Metadata, Unsound, at_most, cut_off

DATA_CHUNKS = 100_000
"""Most chunks of pixels. 40 MB in the chunks of 8 KiB that libpng writes are 5,000."""
SUMMED = frozenset((b"IHDR", b"PLTE", b"IDAT"))
"""The chunks that pixels depend on."""
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
        if name in SUMMED and zlib.crc32(view[start:end]).to_bytes(4, "big") != data[end : end + 4]:
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
    return Frame("PNG", width, height, BYTES_PER_PIXEL * width * height)


def chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Each chunk of a PNG up to ``IEND``: its name, where its name begins, where its checksum begins."""
    at = 8
    while at + 12 <= len(data):
        name = data[at + 4 : at + 8]
        end = at + 8 + int.from_bytes(data[at : at + 4], "big")
        yield name, at + 4, end
        if name == b"IEND":
            return
        at = end + 4
