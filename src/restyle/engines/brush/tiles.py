"""How a level is cut into pieces, so that memory does not grow with the picture, and no seam is left.

All numbers count places, of :data:`restyle.engines.brush.encoder.STRIDE` pixels. A piece is computed with a margin as
wide as the networks look, and the margin is cut off, so a picture in pieces is the picture in one.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

MARGIN = 5
"""The decoder looks 33 pixels far, the encoder 26."""
WHOLE = 80
"""Places, 640 pixels, up to which a side is not cut: the base level is always one piece, without margins."""
MOST = 30
"""Places that are kept of a side at most where it is cut. Much smaller pieces would be margin for the most part."""


@dataclass(frozen=True, slots=True)
class Tile:
    """Rows ``top:bottom`` and columns ``left:right`` that are computed; the inner ones are kept."""

    top: int
    bottom: int
    left: int
    right: int
    inner_top: int
    inner_bottom: int
    inner_left: int
    inner_right: int

    def outer(self, step: int = 1) -> tuple[slice, slice]:
        """Rows and columns of what is computed, in a map of ``step`` rows and columns a place."""
        return slice(self.top * step, self.bottom * step), slice(self.left * step, self.right * step)

    def inner(self, step: int = 1) -> tuple[slice, slice]:
        """Rows and columns of what is kept, likewise."""
        rows = slice(self.inner_top * step, self.inner_bottom * step)
        return rows, slice(self.inner_left * step, self.inner_right * step)

    def within(self, step: int = 1) -> tuple[slice, slice]:
        """Rows and columns of what is kept, within what is computed."""
        rows = slice((self.inner_top - self.top) * step, (self.inner_bottom - self.top) * step)
        return rows, slice((self.inner_left - self.left) * step, (self.inner_right - self.left) * step)


def tiles(height: int, width: int) -> list[Tile]:
    """The pieces of a level of so many places, as equal as can be; their inner parts do not overlap."""
    return [
        Tile(*_seen(top, bottom, height), *_seen(left, right, width), top, bottom, left, right)
        for top, bottom in _cut(height)
        for left, right in _cut(width)
    ]


def _cut(length: int) -> Iterator[tuple[int, int]]:
    count = 1 if length <= WHOLE else math.ceil(length / MOST)
    edges = [round(i * length / count) for i in range(count + 1)]
    yield from pairwise(edges)


def _seen(start: int, stop: int, length: int) -> tuple[int, int]:
    return max(0, start - MARGIN), min(length, stop + MARGIN)
