"""TIFF 6.0 and BigTIFF: a directory that says where strips or tiles of pixels stand."""

import struct
from dataclasses import dataclass
from typing import Literal

from restyle.images.structure.frame import MIB, Frame, Unsound, at_most, cut_off

ENTRIES = 4096
"""Most entries of a directory. Cameras write about a hundred."""
VALUES = 1 << 18
"""Most numbers in one entry: strips of a row each, or tiles of 16 x 16, of 64 megapixels."""
PIXEL_BYTES = 64
"""Most bytes of a pixel, all samples together: the memory that a decoder is given depends on it."""
TILE_PIXELS = 1 << 24
"""Largest tile of a picture that is smaller than its tile."""
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Type of a value -> its bytes."""
WHOLE = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
"""Types of whole numbers -> how :mod:`struct` calls them."""
TEXTS = frozenset((1, 2, 6, 7))
"""Types whose values stay bytes: any number of them is one object."""

WIDTH, HEIGHT, BITS, SAMPLES, ROWS_PER_STRIP, PLANAR, TILE_WIDTH, TILE_HEIGHT = 256, 257, 258, 277, 278, 284, 322, 323
STRIPS, TILES = (273, 279), (324, 325)
"""Offsets and byte counts."""
DIRECTORIES = (34665, 34853, 40965)
"""Exif, GPS and interoperability: directories of their own, which Pillow reads with the pixels."""


@dataclass(frozen=True, slots=True)
class Entry:
    """``count`` values of a type, at a position in the file."""

    type: int
    count: int
    at: int


class Directory:
    """The directory at a position; of entries with one tag the first counts. Raises Unsound."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self.order: Literal["<", ">"] = "<" if data[:2] == b"II" else ">"
        self.big = data[2:4] in (b"+\0", b"\0+")
        head, step, inline = (8, 20, 8) if self.big else (2, 12, 4)
        if at < 8 or at + head > len(data):
            raise cut_off("TIFF")
        (count,) = struct.unpack_from(self.order + ("Q" if self.big else "H"), data, at)
        at_most("entries in a directory", count, ENTRIES)
        if at + head + count * step > len(data):
            raise cut_off("TIFF")
        self.entries: dict[int, Entry] = {}
        self.bytes = 0
        for place in range(at + head, at + head + count * step, step):
            tag, kind, number = struct.unpack_from(self.order + ("HHQ" if self.big else "HHI"), data, place)
            length, value = number * SIZES.get(kind, 0), place + step - inline
            if length > inline:
                (value,) = struct.unpack_from(self.order + ("Q" if self.big else "I"), data, value)
            if tag in self.entries or not length or value + length > len(data):
                continue
            if kind not in TEXTS:
                at_most("values in an entry of a directory", number, VALUES)
            self.bytes += length
            self.entries[tag] = Entry(kind, number, value)

    def numbers(self, tag: int, *default: int) -> tuple[int, ...]:
        """The values of ``tag``, or ``default`` where it has none that are whole numbers."""
        entry = self.entries.get(tag)
        if entry is None or entry.type not in WHOLE:
            return default
        return struct.unpack_from(f"{self.order}{entry.count}{WHOLE[entry.type]}", self._data, entry.at)


def read(data: bytes) -> Frame:
    """The first frame of a TIFF whose strips or tiles are as many as it needs, and all there. Raises Unsound."""
    big = data[2:4] in (b"+\0", b"\0+")
    start = data[8:16] if big else data[4:8]
    first = Directory(data, int.from_bytes(start, "little" if data[:2] == b"II" else "big"))
    # Together the values fit into the file, unless several entries name the same bytes.
    at_most("bytes in its directory", first.bytes, len(data))
    _check_further(data, first)
    (width, *_), (height, *_) = first.numbers(WIDTH, 0), first.numbers(HEIGHT, 0)
    if not width or not height:
        raise cut_off("TIFF")
    samples = first.numbers(SAMPLES, 1)[0]
    planes = samples if first.numbers(PLANAR, 1)[0] == 2 else 1
    bytes_per_pixel = -(-samples * max(first.numbers(BITS, 1)) // 8)
    at_most("bytes in a pixel", bytes_per_pixel, PIXEL_BYTES)
    rows = min(first.numbers(ROWS_PER_STRIP, height)[0], height)
    across, down = first.numbers(TILE_WIDTH, width)[0], first.numbers(TILE_HEIGHT, height)[0]
    if not rows or not across or not down:
        raise cut_off("TIFF")
    if TILES[0] in first.entries:
        at_most("pixels in a tile", across * down, max(width * height, TILE_PIXELS))
    _check_pieces(data, first, STRIPS, "strips", planes * -(-height // rows))
    _check_pieces(data, first, TILES, "tiles", planes * -(-width // across) * -(-height // down))
    piece = across * down if TILES[0] in first.entries else width * rows
    scratch = 4 * width * height + 2 * max(4, bytes_per_pixel) * piece + first.bytes
    return Frame("TIFF", width, height, scratch + 2 * MIB)


def _check_pieces(data: bytes, directory: Directory, tags: tuple[int, int], name: str, needed: int) -> None:
    """Whether the strips or tiles that ``directory`` names are no more than ``needed``, and lie inside the file."""
    for tag in tags:
        entry = directory.entries.get(tag)
        if entry is not None and entry.count > needed:
            raise Unsound(f"names {entry.count:,} {name}, and its size needs {needed:,}; send it saved anew")
    counts = directory.numbers(tags[1])
    ends = (offset + count for offset, count in zip(directory.numbers(tags[0]), counts, strict=False))
    if max(ends, default=0) > len(data):
        raise cut_off("TIFF")
    at_most(f"bytes in its {name}", sum(counts), 2 * len(data))


def _check_further(data: bytes, first: Directory) -> None:
    """Whether the directories that Pillow reads with the first are bounded. What is broken in them says nothing."""
    for tag in DIRECTORIES:
        for at in first.numbers(tag)[:1]:
            if 8 <= at < len(data) - 8:
                (count,) = struct.unpack_from(first.order + ("Q" if first.big else "H"), data, at)
                at_most("entries in a directory", count, ENTRIES)
