"""AVIF: items and tracks of AV1 frames, in boxes (AV1 Image File Format; ISO/IEC 23008-12 for items)."""

from collections.abc import Iterator

from restyle.images.structure.av1 import frame_sizes
from restyle.images.structure.boxes import FULL, Box, Reader, boxes
from restyle.images.structure.frame import METADATA_BYTES, Frame, at_most, cut_off

FORMAT = "AVIF"
ITEMS = 4096
"""Most items, extents of one item, and tracks. A grid of 64 megapixels in tiles of 128 x 128 has 3,900."""
BYTES_PER_PIXEL = 24
"""Planes of 16 bits, with and without film grain, and two copies of the result; 13 were measured at 8 bits."""
IN_FILE, IN_META = 0, 1
"""Where an item's extents stand."""


def is_avif(data: bytes) -> bool:
    """Whether ``data`` begins with a file type box of an AVIF, still or moving."""
    length = int.from_bytes(data[:4], "big")
    brands = data[8 : min(length, 256)]
    named = {brands[at : at + 4] for at in (0, *range(8, len(brands), 4))}
    major = data[8:12] in (b"avif", b"avis", b"mif1", b"msf1")
    return data[4:8] == b"ftyp" and major and bool({b"avif", b"avis"} & named)


def read(data: bytes) -> Frame:
    """The largest of the frames, and of the sizes that the container states, of a whole AVIF. Raises Unsound."""
    sizes: list[tuple[int, int]] = []
    for box in boxes(data, 0, len(data), FORMAT):
        if box.kind in (b"meta", b"moov"):
            at_most("bytes of metadata", box.end - box.start, METADATA_BYTES)
        if box.kind == b"meta":
            sizes += _items(data, box)
        elif box.kind == b"moov":
            sizes += _tracks(data, box)
    width, height = max(sizes, key=lambda size: size[0] * size[1], default=(0, 0))
    if not width or not height:
        raise cut_off(FORMAT)
    return Frame(FORMAT, width, height, BYTES_PER_PIXEL * width * height)


def _inside(data: bytes, box: Box, *path: bytes) -> Iterator[Box]:
    """The boxes that the names of ``path`` lead to from ``box``."""
    for found in boxes(data, box.start, box.end, FORMAT):
        if found.kind == path[0]:
            yield from _inside(data, found, *path[1:]) if path[1:] else (found,)


def _items(data: bytes, meta: Box) -> Iterator[tuple[int, int]]:
    """Sizes of the items that hold AV1, and of the spatial extents that are stated."""
    contents = Box(meta.kind, meta.start + FULL, meta.end)
    for extents in _inside(data, contents, b"iprp", b"ipco", b"ispe"):
        reader = Reader(data, extents.start + FULL, extents.end, FORMAT)
        yield reader.number(4), reader.number(4)
    coded = {item for info in _inside(data, contents, b"iinf") for item in _coded_items(data, info)}
    at_most("items", len(coded), ITEMS)
    own = next(_inside(data, contents, b"idat"), Box(b"idat", 0, 0))
    for location in _inside(data, contents, b"iloc"):
        for item, pieces in _extents(data, location, own):
            if item in coded:
                yield from frame_sizes(b"".join(data[start:end] for start, end in pieces))


def _coded_items(data: bytes, info: Box) -> Iterator[int]:
    """The numbers of the items of type ``av01``."""
    count_size = 2 if data[info.start] == 0 else 4
    for entry in boxes(data, info.start + FULL + count_size, info.end, FORMAT):
        version = data[entry.start]
        reader = Reader(data, entry.start + FULL, entry.end, FORMAT)
        item = reader.number(4 if version >= 3 else 2)
        reader.number(2)  # protection
        if version >= 2 and reader.number(4).to_bytes(4, "big") == b"av01":
            yield item


def _extents(data: bytes, location: Box, own: Box) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """Each item's number, and where its pieces begin and end in the file."""
    version = data[location.start]
    reader = Reader(data, location.start + FULL, location.end, FORMAT)
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
            within = own if place == IN_META else Box(b"", 0, len(data))
            start += within.start
            end = start + length if length else within.end
            if place not in (IN_FILE, IN_META) or start > end or end > within.end:
                raise cut_off(FORMAT)
            total += end - start
            at_most("bytes in its items", total, 2 * len(data))
            pieces.append((start, end))
        yield item, pieces


def _tracks(data: bytes, movie: Box) -> Iterator[tuple[int, int]]:
    """Sizes of every track, as its header states them and as its first frame has them."""
    tracks = list(_inside(data, movie, b"trak"))
    at_most("tracks", len(tracks), ITEMS)
    for track in tracks:
        for header in _inside(data, track, b"tkhd"):
            reader = Reader(data, header.end - 8, header.end, FORMAT)
            yield reader.number(4) >> 16, reader.number(4) >> 16
        for samples in _inside(data, track, b"mdia", b"minf", b"stbl"):
            start, length = _first_offset(data, samples), _first_length(data, samples)
            if start + length > len(data):
                raise cut_off(FORMAT)
            yield from frame_sizes(data[start : start + length])


def _first_offset(data: bytes, samples: Box) -> int:
    for name, size in ((b"stco", 4), (b"co64", 8)):
        for box in _inside(data, samples, name):
            return Reader(data, box.start + FULL + 4, box.end, FORMAT).number(size)
    raise cut_off(FORMAT)


def _first_length(data: bytes, samples: Box) -> int:
    for box in _inside(data, samples, b"stsz"):
        reader = Reader(data, box.start + FULL, box.end, FORMAT)
        same = reader.number(4)
        reader.number(4)
        return same or reader.number(4)
    raise cut_off(FORMAT)
