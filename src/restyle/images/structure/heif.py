"""HEIF: items of HEVC pictures, in boxes (ISO/IEC 23008-12), as phones write them."""

from restyle.images.structure.boxes import Box, boxes
from restyle.images.structure.frame import METADATA_BYTES, Frame, Unsound, at_most, cut_off
from restyle.images.structure.hevc import FORMAT, configured_sizes, stream_sizes
from restyle.images.structure.items import ITEMS, Items, brands

MAJOR = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"mif2", b"msf1"))
CODECS = {
    b"av01": "AV1",
    b"avc1": "AVC",
    b"j2k1": "JPEG 2000",
    b"jpeg": "JPEG",
    b"unci": "plain samples",
    b"vvc1": "VVC",
}
"""Types of items -> what they are coded in, where that is not HEVC."""
BYTES_PER_PIXEL = {8: 16, 16: 24}
"""Planes of so many bits with opacity, and the result. 5 were measured at 8 bits with half the resolution of colour and
no opacity, 20 at 10 bits with all of it.
"""
LUMA_DEPTH = 17
"""Where a decoder's configuration says how many bits over eight samples have."""


def is_heif(data: bytes) -> bool:
    """Whether ``data`` begins with a file type box of a HEIF file."""
    return data[8:12] in MAJOR and bool(brands(data))


def read(data: bytes) -> Frame:
    """The largest of coded pictures and of sizes that the container states in a whole HEIF. Raises Unsound."""
    for box in boxes(data, 0, len(data), FORMAT):
        if box.kind == b"meta":
            at_most("bytes of metadata", box.end - box.start, METADATA_BYTES)
            return _read(data, box)
    if any(box.kind == b"moov" for box in boxes(data, 0, len(data), FORMAT)):
        raise Unsound("is a moving HEIF picture without a still one, which is not supported; send a still picture")
    raise cut_off(FORMAT)


def _read(data: bytes, meta: Box) -> Frame:
    items = Items(data, meta, FORMAT)
    kinds = set(items.types.values())
    if b"hvc1" not in kinds:
        found = ", ".join(name for kind, name in CODECS.items() if kind in kinds)
        what = f"coded in {found}" if found else "of a kind"
        raise Unsound(f"is a HEIF picture {what} that is not supported; send it as JPEG or PNG")
    sizes = list(items.sizes())
    depth = 8
    for box in items.properties(b"hvcC"):
        sizes += configured_sizes(data, box)
        depth = 16 if data[box.start + LUMA_DEPTH] & 7 else depth
    for kind, contents in items.contents():
        if kind == b"hvc1":
            sizes += stream_sizes(contents)
        elif kind == b"grid":
            sizes.append(_grid(contents))
        elif kind == b"iovl":
            sizes.append(_overlay(contents))
    width, height = max(sizes, key=lambda size: size[0] * size[1], default=(0, 0))
    if not width or not height:
        raise cut_off(FORMAT)
    return Frame(FORMAT, width, height, BYTES_PER_PIXEL[depth] * width * height, items.cicp())


def _grid(contents: bytes) -> tuple[int, int]:
    """(width, height) of a picture put together from tiles."""
    side = 4 if contents[1:2] and contents[1] & 1 else 2
    if len(contents) < 4 + 2 * side:
        raise cut_off(FORMAT)
    at_most("tiles", (contents[2] + 1) * (contents[3] + 1), ITEMS)
    return int.from_bytes(contents[4 : 4 + side], "big"), int.from_bytes(contents[4 + side : 4 + 2 * side], "big")


def _overlay(contents: bytes) -> tuple[int, int]:
    """(width, height) of a canvas on which others are laid."""
    side = 4 if contents[1:2] and contents[1] & 1 else 2
    if len(contents) < 10 + 2 * side:
        raise cut_off(FORMAT)
    return int.from_bytes(contents[10 : 10 + side], "big"), int.from_bytes(contents[10 + side : 10 + 2 * side], "big")
