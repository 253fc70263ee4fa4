"""How large the pictures of an HEVC stream are (ITU-T H.265, sections 7.3.2.2 and 7.3.3)."""

from collections.abc import Iterator

from restyle.images.structure.bits import Bits
from restyle.images.structure.boxes import Box, Reader
from restyle.images.structure.frame import at_most, cut_off

FORMAT = "HEIF"
UNITS = 100_000
SEQUENCE_PARAMETERS = 33
"""Type of the unit that says how large pictures are."""
CONFIGURATION = 22
"""Bytes before the units in a decoder's configuration."""
HEAD_BYTES = 256
"""Of the sequence parameters only the beginning counts."""
PROFILE_BITS, LEVEL_BITS = 88, 8


def configured_sizes(data: bytes, box: Box) -> Iterator[tuple[int, int]]:
    """(width, height) of each set of sequence parameters in an ``hvcC`` box. Raises Unsound."""
    reader = Reader(data, box.start + CONFIGURATION, box.end, FORMAT)
    for _ in range(reader.number(1)):
        reader.number(1)
        for _ in range(reader.number(2)):
            length = reader.number(2)
            yield from _size(data[reader.at : reader.at + length])
            reader.skip(length)


def stream_sizes(stream: bytes) -> Iterator[tuple[int, int]]:
    """(width, height) of each set of sequence parameters among the units of an item. Raises Unsound."""
    at = count = 0
    while at + 4 <= len(stream):
        length = int.from_bytes(stream[at : at + 4], "big")
        count += 1
        at_most("units in a picture", count, UNITS)
        if at + 4 + length > len(stream):
            raise cut_off(FORMAT)
        yield from _size(stream[at + 4 : at + 4 + min(length, HEAD_BYTES)])
        at += 4 + length


def _size(unit: bytes) -> Iterator[tuple[int, int]]:
    if len(unit) < 2 or unit[0] >> 1 & 63 != SEQUENCE_PARAMETERS:
        return
    # 00 00 03 stands for 00 00, so that no start code occurs inside
    bits = Bits(unit[2:HEAD_BYTES].replace(b"\0\0\3", b"\0\0"), FORMAT)
    bits.take(4)
    further_layers = bits.take(3)
    bits.take(1 + PROFILE_BITS + LEVEL_BITS)
    present = [(bits.take(1), bits.take(1)) for _ in range(further_layers)]
    if further_layers:
        bits.take(2 * (8 - further_layers))
    for profile, level in present:
        bits.take(profile * PROFILE_BITS + level * LEVEL_BITS)
    bits.exponential()
    if bits.exponential() == 3:  # 4:4:4, where planes may stand apart
        bits.take(1)
    yield bits.exponential(), bits.exponential()
