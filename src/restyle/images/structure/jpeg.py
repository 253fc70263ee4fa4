"""JPEG (ITU-T T.81): segments, then scans, up to the end marker."""

import re

from restyle.images.structure.frame import STRAY_BYTES, Frame, Metadata, Unsound, at_most, cut_off

SCANS = 100
"""Most scans. Encoders write about ten; each costs a pass over the whole picture, though it may be empty."""
EXIF_PIECES = 16
"""Most Exif segments. One is usual; Pillow copies all before for each."""

START_OF_SCAN, END = 0xDA, 0xD9
BARE = frozenset((0x01, *range(0xD0, 0xD9)))
"""Markers without a length: TEM, RST0..7 and SOI."""
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""SOF0..15; the three that are left out hold tables."""
PROGRESSIVE = frozenset((0xC2, 0xC6, 0xCA, 0xCE))
EXIF = 0xE1
BITS = 8
"""Of a sample. Medical devices write 12, which no decoder of photographs reads."""

BEFORE_SCANS = re.compile(rb"\xff[^\x00\xff]")
IN_SCANS = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
"""Inside scans 0xFF is written FF 00, and restart markers belong to the data."""


def read(data: bytes) -> Frame:
    """The frame of a whole JPEG. Raises Unsound."""
    at, scans, stray, exif, buffered = 2, 0, 0, 0, False
    metadata = Metadata()
    sizes: list[tuple[int, int]] = []
    width = height = 0
    while True:
        found = (IN_SCANS if scans else BEFORE_SCANS).search(data, at)
        if found is None:
            raise cut_off("JPEG")
        if not scans:
            stray += found.start() - at
            at_most("bytes that belong to no segment", stray, STRAY_BYTES)
        marker, at = data[found.end() - 1], found.end()
        if marker == END:
            break
        if marker in BARE:
            metadata.add(0)
            continue
        length = int.from_bytes(data[at : at + 2], "big")
        if length < 2 or at + length > len(data):
            raise cut_off("JPEG")
        if marker == START_OF_SCAN:
            if length < 3 or not sizes:
                raise cut_off("JPEG")
            buffered = buffered or data[at + 2] < len(sizes)
            scans += 1
            at_most("scans", scans, SCANS)
        elif marker in FRAMES:
            if sizes or length < 8:
                raise cut_off("JPEG")
            height = int.from_bytes(data[at + 3 : at + 5], "big")
            width = int.from_bytes(data[at + 5 : at + 7], "big")
            if (bits := data[at + 2]) != BITS:
                raise Unsound(f"is a JPEG file of {bits} bits a sample, which is not supported; send {BITS}")
            sizes = _component_sizes(data[at + 7 : at + length], width, height)
            buffered = marker in PROGRESSIVE
        else:
            metadata.add(length)
            exif += marker == EXIF and data[at + 2 : at + 8] == b"Exif\0\0"
            at_most("Exif segments", exif, EXIF_PIECES)
        at += length
    if not scans:
        raise cut_off("JPEG")
    # What comes in several scans is kept as coefficients of 16 bits until the last has come.
    kept = sum(2 * across * down for across, down in sizes) if buffered else 0
    return Frame("JPEG", width, height, kept + width * height // 8)


def _component_sizes(described: bytes, width: int, height: int) -> list[tuple[int, int]]:
    """Samples across and down of each component, in whole blocks."""
    count = described[0]
    factors = [(described[n] >> 4, described[n] & 15) for n in range(2, 1 + 3 * count, 3) if n < len(described)]
    if not (width and height and 1 <= count <= 4 and len(factors) == count and all(a and d for a, d in factors)):
        raise cut_off("JPEG")
    most_across, most_down = max(a for a, _ in factors), max(d for _, d in factors)
    units_across, units_down = -(-width // (8 * most_across)), -(-height // (8 * most_down))
    return [(8 * units_across * across, 8 * units_down * down) for across, down in factors]
