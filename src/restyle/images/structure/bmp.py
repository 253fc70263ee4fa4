"""BMP: one header, and rows of one length unless they are packed."""

from restyle.images.structure.frame import Frame, cut_off

OLD_HEADER = 12
HEADERS = frozenset((OLD_HEADER, 40, 52, 56, 64, 108, 124))
"""Lengths of the headers that there are."""
PLAIN = frozenset((0, 3, 6))
"""Compressions without any: none, and with the places of the colours' bits given."""
BYTES_PER_PIXEL = 8
"""Packed rows are unpacked aside before they become pixels."""


def is_bmp(data: bytes) -> bool:
    """Whether ``data`` begins as a BMP; its two letters alone begin many a text."""
    return data[:2] == b"BM" and int.from_bytes(data[14:18], "little") in HEADERS


def read(data: bytes) -> Frame:
    """The frame of a BMP whose rows are all there. Raises Unsound."""
    header = int.from_bytes(data[14:18], "little")
    if len(data) < 14 + header:
        raise cut_off("BMP")
    old = header == OLD_HEADER
    side, signed = (2, False) if old else (4, True)
    width = int.from_bytes(data[18 : 18 + side], "little")
    height = abs(int.from_bytes(data[18 + side : 18 + 2 * side], "little", signed=signed))  # below 0: from the top
    bits = int.from_bytes(data[24:26] if old else data[28:30], "little")
    compression = 0 if old else int.from_bytes(data[30:34], "little")
    start = int.from_bytes(data[10:14], "little") or 14 + header
    row = (width * bits + 31) // 32 * 4
    if not width or not height or start > len(data) or (compression in PLAIN and start + row * height > len(data)):
        raise cut_off("BMP")
    return Frame("BMP", width, height, BYTES_PER_PIXEL * width * height)
