"""The items of a HEIF file, pictures and what goes with them (ISO/IEC 23008-12), which AVIF shares."""

from collections.abc import Iterator

from restyle.images.structure.boxes import FULL, Box, Reader, boxes
from restyle.images.structure.frame import Cicp, at_most, cut_off

ITEMS = 4096
"""Most items, extents of one item, and tracks. A grid of 64 megapixels in tiles of 128 x 128 has 3,900."""
IN_FILE, IN_META = 0, 1
"""Where an item's extents stand."""
WIDE = 1
"""Flag of associations whose properties are numbered in 15 bits."""
BRANDS_BYTES = 256


def brands(data: bytes) -> set[bytes]:
    """The brands that a file names which begins with a file type box; the first is its own."""
    length = int.from_bytes(data[:4], "big")
    named = data[8 : min(length, BRANDS_BYTES)] if data[4:8] == b"ftyp" else b""
    return {named[at : at + 4] for at in (0, *range(8, len(named), 4))}


def inside(data: bytes, box: Box, format: str, *path: bytes) -> Iterator[Box]:
    """The boxes that the names of ``path`` lead to from ``box``. Raises Unsound."""
    for found in boxes(data, box.start, box.end, format):
        if found.kind == path[0]:
            yield from inside(data, found, format, *path[1:]) if path[1:] else (found,)


class Items:
    """What a ``meta`` box says. ``types`` are the items' types by their numbers. All raise Unsound."""

    def __init__(self, data: bytes, meta: Box, format: str) -> None:
        self._data, self._format = data, format
        self._contents = Box(meta.kind, meta.start + FULL, meta.end)
        self.types = {item: kind for info in self._inside(b"iinf") for item, kind in self._entries(info)}
        at_most("items", len(self.types), ITEMS)

    def sizes(self) -> Iterator[tuple[int, int]]:
        """(width, height) of every spatial extent that is stated."""
        for extents in self._inside(b"iprp", b"ipco", b"ispe"):
            reader = self._reader(extents, FULL)
            yield reader.number(4), reader.number(4)

    def properties(self, kind: bytes) -> Iterator[Box]:
        """All properties of that type, whosever."""
        return self._inside(b"iprp", b"ipco", kind)

    def contents(self) -> Iterator[tuple[bytes, bytes]]:
        """The type of each item that lies in this file, and its bytes."""
        own = next(self._inside(b"idat"), Box(b"idat", 0, 0))
        for location in self._inside(b"iloc"):
            for item, pieces in self._extents(location, own):
                if item in self.types:
                    yield self.types[item], b"".join(self._data[start:end] for start, end in pieces)

    def primary(self) -> int | None:
        """The number of the picture that is to be shown."""
        for box in self._inside(b"pitm"):
            return self._reader(box, FULL).number(2 if self._data[box.start] == 0 else 4)
        return None

    def cicp(self) -> Cicp | None:
        """How the primary picture's colours are coded, where that is said by code points."""
        for box in self._own_properties(self.primary()):
            if box.kind == b"colr" and self._data[box.start : box.start + 4] == b"nclx":
                return nclx(self._data, box, self._format)
        return None

    def _own_properties(self, item: int | None) -> Iterator[Box]:
        for container in self._inside(b"iprp"):
            listed = [box for part in self._parts(container, b"ipco") for box in self._boxes(part)]
            for association in self._parts(container, b"ipma"):
                for number in self._associated(association, item):
                    if 1 <= number <= len(listed):
                        yield listed[number - 1]

    def _associated(self, association: Box, wanted: int | None) -> Iterator[int]:
        reader = self._reader(association, 0)
        version_and_flags = reader.number(4)
        count = reader.number(4)
        at_most("items", count, ITEMS)
        for _ in range(count):
            item = reader.number(2 if version_and_flags >> 24 == 0 else 4)
            for _ in range(reader.number(1)):
                number = reader.number(2) & 0x7FFF if version_and_flags & WIDE else reader.number(1) & 0x7F
                if item == wanted:
                    yield number

    def _entries(self, info: Box) -> Iterator[tuple[int, bytes]]:
        count_size = 2 if self._data[info.start] == 0 else 4
        for entry in boxes(self._data, info.start + FULL + count_size, info.end, self._format):
            version = self._data[entry.start]
            reader = self._reader(entry, FULL)
            item = reader.number(4 if version >= 3 else 2)
            reader.number(2)  # protection
            if version >= 2:
                kind = reader.number(4).to_bytes(4, "big")
                # Decoders hand these on as text without a look, and end their process where they are none.
                if not kind.isascii() or not _is_text(self._data[reader.at : entry.end]):
                    raise cut_off(self._format)
                yield item, kind

    def _extents(self, location: Box, own: Box) -> Iterator[tuple[int, list[tuple[int, int]]]]:
        """Each item's number, and where its pieces begin and end in the file."""
        version = self._data[location.start]
        reader = self._reader(location, FULL)
        widths = reader.number(2)
        offset_size, length_size, base_size, index_size = (widths >> shift & 15 for shift in (12, 8, 4, 0))
        count = reader.number(4 if version >= 2 else 2)
        at_most("items", count, ITEMS)
        total = 0
        for _ in range(count):
            item = reader.number(4 if version >= 2 else 2)
            place = reader.number(2) & 15 if version >= 1 else IN_FILE
            reader.number(2)  # data reference
            base = reader.number(base_size)
            number = reader.number(2)
            at_most("pieces of an item", number, ITEMS)
            pieces = []
            for _ in range(number):
                if version >= 1:
                    reader.number(index_size)
                start, length = base + reader.number(offset_size), reader.number(length_size)
                within = own if place == IN_META else Box(b"", 0, len(self._data))
                start += within.start
                end = start + length if length else within.end
                if place not in (IN_FILE, IN_META) or start > end or end > within.end:
                    raise cut_off(self._format)
                total += end - start
                at_most("bytes in its items", total, 2 * len(self._data))
                pieces.append((start, end))
            yield item, pieces

    def _inside(self, *path: bytes) -> Iterator[Box]:
        return inside(self._data, self._contents, self._format, *path)

    def _parts(self, box: Box, kind: bytes) -> Iterator[Box]:
        return inside(self._data, box, self._format, kind)

    def _boxes(self, box: Box) -> Iterator[Box]:
        return boxes(self._data, box.start, box.end, self._format)

    def _reader(self, box: Box, skipped: int) -> Reader:
        return Reader(self._data, box.start + skipped, box.end, self._format)


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except ValueError:
        return False
    return True


def nclx(data: bytes, box: Box, format: str) -> Cicp:
    """The code points of a ``colr`` box of type ``nclx``."""
    reader = Reader(data, box.start + 4, box.end, format)
    primaries, transfer = reader.number(2), reader.number(2)
    return Cicp(primaries, transfer)
