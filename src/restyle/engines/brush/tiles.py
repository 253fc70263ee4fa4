"""How a level is cut into pieces, so that memory does not grow with the picture, and no seam is left.

All numbers count places, of :data:`restyle.engines.brush.encoder.STRIDE` pixels. A piece is computed with a margin as
wide as the networks look, and the margin is cut off, so a picture in pieces is the picture in one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

MARGIN = 5
"""The decoder looks 33 pixels far, the encoder 26."""
LEAST = 8
"""Places that are kept of a side at least where it is cut: much smaller pieces would be margin for the most part."""


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


def tiles(height: int, width: int, most: int) -> list[Tile]:
    """The pieces of a level of so many places, none of which computes more than ``most``, margins included, and which
    together compute the least. All have one size, for which networks are prepared once; their inner parts do not
    overlap.
    """
    counts = (range(1, max(1, length // LEAST) + 1) for length in (height, width))
    rows, columns = min(
        product(*counts),
        key=lambda cut: (
            _computed(height, cut[0]) * _computed(width, cut[1]) > most,
            cut[0] * _computed(height, cut[0]) * cut[1] * _computed(width, cut[1]),
        ),
    )
    return [
        Tile(top, bottom, left, right, *inner_rows, *inner_columns)
        for top, bottom, inner_rows in _cut(height, rows)
        for left, right, inner_columns in _cut(width, columns)
    ]


def _computed(length: int, count: int) -> int:
    """Of a side that is cut into ``count`` pieces, in each of them."""
    return -(-(length + 2 * MARGIN * (count - 1)) // count)


def _cut(length: int, count: int) -> Iterator[tuple[int, int, tuple[int, int]]]:
    """Where each piece of a side begins and ends, and of it what is kept."""
    outer, kept = _computed(length, count), 0
    for number in range(count):
        start = min(number * (outer - 2 * MARGIN), length - outer)
        stop = length if number == count - 1 else start + outer - MARGIN
        yield start, start + outer, (kept, stop)
        kept = stop
