"""GIF (89a): extensions, then the first frame. What comes behind it is never read."""

from restyle.images.structure.frame import STRAY_BYTES, Frame, Metadata, at_most, cut_off

EXTENSION, IMAGE, TRAILER = 0x21, 0x2C, 0x3B
SUB_BLOCKS = 1_000_000
"""Most sub-blocks of one kind. 40 MB in the blocks of 255 bytes that every encoder writes are 160,000."""
EXTENSION_BLOCKS = 100_000
BYTES_PER_PIXEL = 2


def read(data: bytes) -> Frame:
    """The first frame of a GIF that reaches that frame's end, as large as screen and frame together. Raises Unsound."""
    width, height = int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")
    at = 13 + _palette(data[10:11])
    metadata, stray = Metadata(), 0
    while at < len(data):
        if data[at] == EXTENSION:
            end = _sub_blocks(data, at + 2, EXTENSION_BLOCKS)
            metadata.add(end - at)
            at = end
        elif data[at] == IMAGE and at + 10 <= len(data):
            left, top, across, down = (int.from_bytes(data[at + n : at + n + 2], "little") for n in (1, 3, 5, 7))
            end = _sub_blocks(data, at + 11 + _palette(data[at + 9 : at + 10]), SUB_BLOCKS)
            width, height = max(width, left + across), max(height, top + down)
            if end > len(data) or not width or not height:
                break
            return Frame("GIF", width, height, BYTES_PER_PIXEL * width * height)
        elif data[at] in (IMAGE, TRAILER):
            break
        else:
            at, stray = at + 1, stray + 1
            at_most("bytes that belong to no block", stray, STRAY_BYTES)
    raise cut_off("GIF")


def _palette(flags: bytes) -> int:
    return 3 << (flags[0] & 7) + 1 if flags and flags[0] & 0x80 else 0


def _sub_blocks(data: bytes, at: int, most: int) -> int:
    """Where the sub-blocks that start at ``at`` end; past the data's end when they are cut off."""
    count = 0
    while at < len(data) and data[at]:
        at += 1 + data[at]
        count += 1
        if count > most:
            at_most("sub-blocks", count, most)
    return at + 1
