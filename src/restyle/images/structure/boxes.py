"""Boxes of the ISO base media file format (ISO/IEC 14496-12), which AVIF and HEIF are kept in."""

from collections.abc import Iterator
from dataclasses import dataclass

from restyle.images.structure.frame import at_most, cut_off

BOXES = 20_000
"""Most boxes in one other."""
FULL = 4
"""Bytes of version and flags with which full boxes begin."""


@dataclass(frozen=True, slots=True)
class Box:
    """A box: its four letters, and where its contents stand in the file."""

    kind: bytes
    start: int
    end: int


def boxes(data: bytes, start: int, end: int, format: str) -> Iterator[Box]:
    """The boxes side by side between two places. Raises Unsound where one does not fit in."""
    at = start
    count = 0
    while at + 8 <= end:
        size, head = int.from_bytes(data[at : at + 4], "big"), 8
        if size == 1:  # too long for 32 bits
            size, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        elif size == 0:  # up to the end
            size = end - at
        if size < head or at + size > end:
            raise cut_off(format)
        count += 1
        at_most("boxes", count, BOXES)
        yield Box(data[at + 4 : at + 8], at + head, at + size)
        at += size


class Reader:
    """Whole numbers, big end first, one after the other. Raises Unsound past the end."""

    def __init__(self, data: bytes, start: int, end: int, format: str) -> None:
        self._data, self.at, self._end, self._format = data, start, end, format

    def number(self, size: int) -> int:
        """The next ``size`` bytes; 0 where there are none to read."""
        if self.at + size > self._end:
            raise cut_off(self._format)
        self.at += size
        return int.from_bytes(self._data[self.at - size : self.at], "big")

    def skip(self, size: int) -> None:
        """Pass over ``size`` bytes."""
        if self.at + size > self._end:
            raise cut_off(self._format)
        self.at += size
