"""AVIF: items and tracks of AV1 frames, in boxes (AV1 Image File Format)."""

from collections.abc import Iterator

from restyle.images.structure.av1 import FORMAT, cicp, frame_sizes
from restyle.images.structure.boxes import FULL, Box, Reader, boxes
from restyle.images.structure.frame import METADATA_BYTES, Cicp, Frame, at_most, cut_off
from restyle.images.structure.items import ITEMS, Items, brands, inside, nclx

BYTES_PER_PIXEL = 24
"""Planes of 16 bits, with and without film grain, and two copies of the result; 13 were measured at 8 bits."""
SAMPLE_ENTRY = 78
"""Bytes before the boxes in the description of a track's samples."""


def is_avif(data: bytes) -> bool:
    """Whether ``data`` begins with a file type box of an AVIF, still or moving."""
    major = data[8:12] in (b"avif", b"avis", b"mif1", b"msf1")
    return major and bool({b"avif", b"avis"} & brands(data))


def read(data: bytes) -> Frame:
    """The largest of the frames, and of the sizes that the container states, of a whole AVIF. Raises Unsound.

    Of its colours the container's word counts, and where it has none, that of the first picture's sequence header.
    """
    sizes: list[tuple[int, int]] = []
    said: list[Cicp | None] = []
    streams: list[Cicp | None] = []
    for box in boxes(data, 0, len(data), FORMAT):
        if box.kind in (b"meta", b"moov"):
            at_most("bytes of metadata", box.end - box.start, METADATA_BYTES)
        if box.kind == b"meta":
            items = Items(data, box, FORMAT)
            sizes += items.sizes()
            for kind, contents in items.contents():
                if kind == b"av01":
                    sizes += frame_sizes(contents)
                    streams.append(cicp(contents))
            said.append(items.cicp())
        elif box.kind == b"moov":
            sizes += _tracks(data, box)
            said += _said_by_tracks(data, box)
    width, height = max(sizes, key=lambda size: size[0] * size[1], default=(0, 0))
    if not width or not height:
        raise cut_off(FORMAT)
    coded = next(filter(None, said + streams), None)
    return Frame(FORMAT, width, height, BYTES_PER_PIXEL * width * height, coded)


def _tracks(data: bytes, movie: Box) -> Iterator[tuple[int, int]]:
    """Sizes of every track, as its header states them and as its first frame has them."""
    tracks = list(inside(data, movie, FORMAT, b"trak"))
    at_most("tracks", len(tracks), ITEMS)
    for track in tracks:
        for header in inside(data, track, FORMAT, b"tkhd"):
            reader = Reader(data, header.end - 8, header.end, FORMAT)
            yield reader.number(4) >> 16, reader.number(4) >> 16
        for samples in inside(data, track, FORMAT, b"mdia", b"minf", b"stbl"):
            start, length = _first_offset(data, samples), _first_length(data, samples)
            if start + length > len(data):
                raise cut_off(FORMAT)
            yield from frame_sizes(data[start : start + length])


def _said_by_tracks(data: bytes, movie: Box) -> Iterator[Cicp]:
    for table in inside(data, movie, FORMAT, b"trak", b"mdia", b"minf", b"stbl", b"stsd"):
        for entry in boxes(data, table.start + FULL + 4, table.end, FORMAT):
            if entry.kind == b"av01":
                for box in boxes(data, entry.start + SAMPLE_ENTRY, entry.end, FORMAT):
                    if box.kind == b"colr" and data[box.start : box.start + 4] == b"nclx":
                        yield nclx(data, box, FORMAT)


def _first_offset(data: bytes, samples: Box) -> int:
    for name, size in ((b"stco", 4), (b"co64", 8)):
        for box in inside(data, samples, FORMAT, name):
            return Reader(data, box.start + FULL + 4, box.end, FORMAT).number(size)
    raise cut_off(FORMAT)


def _first_length(data: bytes, samples: Box) -> int:
    for box in inside(data, samples, FORMAT, b"stsz"):
        reader = Reader(data, box.start + FULL, box.end, FORMAT)
        same = reader.number(4)
        reader.number(4)
        return same or reader.number(4)
    raise cut_off(FORMAT)
