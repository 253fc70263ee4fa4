"""At which sizes a picture is drawn, with how many updates, and in which tiles."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

FIRST_SIDE = 64
"""About the square root of the pixels of the first level; every further one has four times as many."""
WHOLE_SIDE = 704
"""Up to here a level is drawn in one piece, beyond in tiles."""
TILE = 512
MARGIN = 48
"""Pixels around a tile that the network sees with it: as far as relu3_3 looks, and whole cells and poolings."""
LEAST_LEVEL = 16


@dataclass(frozen=True, slots=True)
class Level:
    """``width`` x ``height`` pixels, drawn with ``updates``; ``side`` is the square root of its area."""

    width: int
    height: int
    updates: int

    @property
    def side(self) -> float:
        """Square root of the area."""
        return math.sqrt(self.width * self.height)

    @property
    def whole(self) -> bool:
        """Whether the level is drawn in one piece."""
        return self.side <= WHOLE_SIDE


@dataclass(frozen=True, slots=True)
class Tile:
    """Rows ``top:bottom`` and columns ``left:right`` as the network sees them, and the part within that counts.

    The inner bounds are those of the whole level; all lie on multiples of 16 or at its borders, so that the grid of
    hypercolumns and the network's poolings fall as they would in one piece.
    """

    top: int
    bottom: int
    left: int
    right: int
    inner_top: int
    inner_bottom: int
    inner_left: int
    inner_right: int


def levels(width: int, height: int, steps: int) -> list[Level]:
    """From about :data:`FIRST_SIDE` to the whole picture; ``steps`` is 6..100.

    Coarse levels are cheap and decide the most, so they have the most updates. The whole picture comes twice, the
    second time with half the updates.
    """
    side = math.sqrt(width * height)
    octaves = max(0, math.floor(math.log2(side / FIRST_SIDE) + 0.35))
    found = []
    for octave in range(octaves, -1, -1):
        part = 2.0**-octave
        updates = max(2, round(steps * min(1.5, 200 / (side * part))))
        found.append(Level(max(LEAST_LEVEL, round(width * part)), max(LEAST_LEVEL, round(height * part)), updates))
    found[-1] = Level(width, height, found[-1].updates)
    return [*found, Level(width, height, max(2, round(found[-1].updates / 2)))]


def tiles(level: Level) -> list[Tile]:
    """The tiles of a level, the whole of it where it is drawn in one piece. Their inner parts do not overlap."""
    if level.whole:
        return [Tile(0, level.height, 0, level.width, 0, level.height, 0, level.width)]
    return [
        Tile(*_seen(top, bottom, level.height), *_seen(left, right, level.width), top, bottom, left, right)
        for top, bottom in _cut(level.height)
        for left, right in _cut(level.width)
    ]


def _cut(length: int) -> Iterator[tuple[int, int]]:
    count = math.ceil(length / TILE)
    step = math.ceil(length / count / 16) * 16
    for start in range(0, length, step):
        yield start, min(length, start + step)


def _seen(start: int, stop: int, length: int) -> tuple[int, int]:
    return max(0, start - MARGIN), min(length, stop + MARGIN)
