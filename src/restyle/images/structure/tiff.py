"""TIFF 6.0 and BigTIFF: a directory that says where strips or tiles of pixels stand."""

import struct
from collections.abc import Iterator
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
SUBFILE, COMPRESSION, PHOTOMETRIC, MAKE, SUB_DIRECTORIES, EXTRA, FORMAT = 254, 259, 262, 271, 330, 338, 339
FORMATS = {2: "signed ", 3: "floating point ", 5: "complex ", 6: "complex floating point "}
"""``FORMAT`` of samples -> what they are called; whole numbers without a sign have no name."""
MODELS = {0: "grey", 1: "grey", 2: "RGB", 3: "palette", 5: "CMYK", 6: "YCbCr", 8: "Lab", 9: "Lab", 10: "Lab"}
"""Photometric interpretation -> what it is called."""
DNG_VERSION, CFA_PATTERN = 50706, (33421, 33422)
SENSOR = frozenset((32803, 34892))
"""Photometric interpretations of what a camera's sensor saw: through a colour filter array, or linear."""
CAMERA_RAW = "a camera RAW file, which is not supported; send it developed, as JPEG, PNG or TIFF"
REDUCED = 1
"""Bit of ``SUBFILE``: a smaller version of another picture in the file."""
FURTHER = 32
"""Most directories that are looked at to tell what the first is."""
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
        place = at + head + count * step
        self.next = int.from_bytes(data[place : place + inline], "little" if self.order == "<" else "big")
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
    first = _first(data)
    # Together the values fit into the file, unless several entries name the same bytes.
    at_most("bytes in its directory", first.bytes, len(data))
    _check_further(data, first)
    _check_kind(data, first)
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


def samples(data: bytes) -> str:
    """What the first picture of a sound TIFF is made of, in words: "32-bit floating point RGB"."""
    first = _first(data)
    bits, extra = first.numbers(BITS, 1)[:8], first.numbers(EXTRA)
    number = FORMATS.get(first.numbers(FORMAT, 1)[0], "")
    photometric = first.numbers(PHOTOMETRIC, 1)[0]
    model = MODELS.get(photometric, f"colour model {photometric}")
    alpha = " with alpha" if extra else ""
    compression = first.numbers(COMPRESSION, 1)[0]
    return f"{'/'.join(map(str, sorted(set(bits))))}-bit {number}{model}{alpha}, compression {compression}"


def _first(data: bytes) -> Directory:
    start = data[8:16] if data[2:4] in (b"+\0", b"\0+") else data[4:8]
    return Directory(data, int.from_bytes(start, "little" if data[:2] == b"II" else "big"))


def _check_kind(data: bytes, first: Directory) -> None:
    """Whether the first picture is one to be shown, and no small one that goes with a camera's raw data."""
    others = list(_others(data, first))
    raw = data[8:10] == b"CR" and MAKE in first.entries
    for directory in (first, *others):
        raw = raw or DNG_VERSION in directory.entries or directory.numbers(PHOTOMETRIC, 1)[0] in SENSOR
        raw = raw or any(tag in directory.entries for tag in CFA_PATTERN)
    reduced = bool(others) and bool(first.numbers(SUBFILE, 0)[0] & REDUCED)
    if raw or (reduced and MAKE in first.entries and SUB_DIRECTORIES in first.entries):
        raise Unsound(f"is {CAMERA_RAW}")
    if reduced:
        raise Unsound("is a TIFF file that begins with a thumbnail of its picture; send it saved anew")


def _others(data: bytes, first: Directory) -> Iterator[Directory]:
    """The directories below and behind the first. What is broken in them says nothing."""
    places = [*first.numbers(SUB_DIRECTORIES)[:FURTHER], first.next]
    seen: set[int] = set()
    while places and len(seen) < FURTHER:
        at = places.pop(0)
        if at in seen:
            continue
        seen.add(at)
        try:
            directory = Directory(data, at)
        except Unsound:
            continue
        yield directory
        places.append(directory.next)


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
