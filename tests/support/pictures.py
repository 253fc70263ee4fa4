"""Encoded pictures for tests: ordinary ones, and ones no encoder at hand would write."""

import struct
import zlib
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from restyle.images.pixels import Pixels

DISPLAY_P3 = ((0.51512, 0.2412, -0.00105), (0.29198, 0.69225, 0.04189), (0.1571, 0.06657, 0.78407))
"""Red, green and blue primaries as XYZ adapted to D50."""

D50 = (0.9642, 1.0, 0.8249)


def picture(height: int, width: int, seed: int = 0) -> Pixels:
    """A picture with slopes, an edge and no symmetry: uint8 (height, width, 3)."""
    down, across = np.mgrid[0:height, 0:width]
    red = 255 * across / max(1, width - 1)
    green = 255 * down / max(1, height - 1)
    blue = 128 + 100 * np.sin((across + 2 * down + seed) / 9)
    blue[: height // 3, : width // 2] = 20
    return np.stack([red, green, blue], axis=-1).round().astype(np.uint8)


def encode(pixels: npt.NDArray[Any] | Image.Image, kind: str, **options: Any) -> bytes:
    """A file of Pillow's format ``kind``."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    file = BytesIO()
    image.save(file, format=kind, **options)
    return file.getvalue()


def pixel_bytes(file: bytes) -> bytes:
    """What a picture shows, without how its file writes it."""
    with Image.open(BytesIO(file)) as image:
        return image.tobytes()


def png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def with_chunks(png: bytes, *chunks: bytes) -> bytes:
    """``png`` with more chunks behind its header."""
    return png[:33] + b"".join(chunks) + png[33:]


def png_header(width: int, height: int, bits: int = 8, colour: int = 2) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))


def png16(values: npt.NDArray[np.uint16], clear: tuple[int, ...] | None = None) -> bytes:
    """A PNG with 16 bits per channel from (H, W) or (H, W, 3); ``clear`` is the sample value that is transparent."""
    height, width = values.shape[:2]
    colour = 0 if values.ndim == 2 else 2
    rows = values.astype(">u2").reshape(height, -1)
    packed = zlib.compress(b"".join(b"\x00" + row.tobytes() for row in rows))
    hole = png_chunk(b"tRNS", struct.pack(f">{len(clear)}H", *clear)) if clear else b""
    return png_header(width, height, 16, colour) + hole + png_chunk(b"IDAT", packed) + png_chunk(b"IEND", b"")


def tiff(*directories: dict[int, tuple[int, ...]], pixels: bytes = bytes(4096), below: int = 0) -> bytes:
    """A TIFF of directories of whole numbers, tag -> values, whose pixels all stand at byte 8.

    The last ``below`` directories are below the first (``SubIFDs``), the others follow each other.
    """
    tables: list[bytes] = []
    at = 8 + len(pixels)
    places = []
    for index, tags in enumerate(directories):
        extra = 6 + 12 * (len(tags) + (index == 0 and below > 0))
        places.append(at)
        at += extra + sum(4 * len(values) for values in tags.values() if len(values) > 1) + 4 * below
    chained = len(directories) - below
    for index, tags in enumerate(directories):
        tags = dict(sorted(({**tags, 330: tuple(places[chained:])} if index == 0 and below else tags).items()))
        outside = places[index] + 6 + 12 * len(tags)
        entries, values_outside = b"", b""
        for tag, values in tags.items():
            packed = struct.pack(f"<{len(values)}L", *values)
            if len(values) > 1:
                entries += struct.pack("<HHLL", tag, 4, len(values), outside + len(values_outside))
                values_outside += packed
            else:
                entries += struct.pack("<HHL", tag, 4, 1) + packed
        following = places[index + 1] if index + 1 < chained else 0
        table = struct.pack("<H", len(tags)) + entries + struct.pack("<L", following) + values_outside
        size = (places[index + 1] if index + 1 < len(places) else at) - places[index]
        tables.append(table + bytes(size - len(table)))
    return b"II*\0" + struct.pack("<L", places[0]) + pixels + b"".join(tables)


def bomb(width: int = 30_000, height: int = 30_000) -> bytes:
    """A PNG of few bytes whose header promises many pixels, and whose data keeps the promise's beginning."""
    packed = zlib.compress(bytes(1 << 24), 9)
    return png_header(width, height) + png_chunk(b"IDAT", packed) + png_chunk(b"IEND", b"")


def matrix_profile(
    primaries: tuple[tuple[float, float, float], ...] = DISPLAY_P3, gamma: float = 2.2, padding: int = 0
) -> bytes:
    """An ICC profile of an RGB display, with so many bytes more that say nothing."""
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    tags = {b"wtpt": _xyz(D50), **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)}
    tags |= {name: _xyz(value) for name, value in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries, strict=True)}
    tags |= {b"junk": b"data" + bytes(4 + padding)} if padding else {}
    return _profile(b"mntr", b"RGB ", b"XYZ ", tags)


def cmyk_profile(solid: dict[tuple[int, int, int, int], tuple[float, float, float]]) -> bytes:
    """An ICC profile of a printer that lays down ``solid``: ink corners (0 or 1 each) -> CIE L*, a*, b*.

    Corners that are left out are black.
    """
    corners = [tuple(int(bit) for bit in f"{index:04b}") for index in range(16)]
    colours = [solid.get((c[0], c[1], c[2], c[3]), (0.0, 0.0, 0.0)) for c in corners]
    cube = bytes(round(v) for lightness, a, b in colours for v in (lightness * 2.55, a + 128, b + 128))
    straight = bytes(range(256))
    identity = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    table = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + identity + straight * 4 + cube + straight * 3
    return _profile(b"prtr", b"CMYK", b"Lab ", {b"wtpt": _xyz(D50), b"A2B0": table})


def _xyz(value: tuple[float, float, float]) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(v * 65536) for v in value))


def _profile(kind: bytes, space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    name = b"test\x00"
    tags[b"desc"] = b"desc" + bytes(4) + struct.pack(">I", len(name)) + name + bytes(78)
    tags[b"cprt"] = b"text" + bytes(4) + b"none\x00"
    at = 128 + 4 + 12 * len(tags)
    directory, body = struct.pack(">I", len(tags)), b""
    for tag, data in tags.items():
        padded = data + bytes(-len(data) % 4)
        directory += tag + struct.pack(">II", at + len(body), len(data))
        body += padded
    header = struct.pack(">I4sI4s4s4s", at + len(body), bytes(4), 0x02400000, kind, space, connection)
    header += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", *(round(v * 65536) for v in D50))
    return header + bytes(128 - len(header)) + directory + body
