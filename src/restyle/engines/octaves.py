"""Coarse to fine: large strokes at one size, whatever the picture's, and at every finer level what only that shows."""

import math

from restyle.images.pixels import Floats
from restyle.images.resize import resized

LEAST_SIDE = 32


def level_sizes(width: int, height: int, octaves: float) -> list[tuple[int, int]]:
    """Widths and heights from the first level, ``octaves`` doublings below the whole picture, to the whole picture.

    At most doubling; one level where the picture is hardly larger than the first, or smaller.
    """
    finer = max(0, math.ceil(octaves - 0.25))
    scales = [2 ** (-octaves * (finer - level) / finer) for level in range(finer)] if finer else []
    return [
        *((max(LEAST_SIDE, round(width * s)), max(LEAST_SIDE, round(height * s))) for s in scales),
        (width, height),
    ]


def octaves_above(width: int, height: int, side: float) -> float:
    """How many doublings lie between a level of ``side`` squared pixels and the whole picture."""
    return math.log2(math.sqrt(width * height) / side)


def with_coarse(fine: Floats, coarse: Floats, *, finest: int, times: int = 1) -> Floats:
    """``fine`` with everything broader than ``finest`` pixels of ``coarse`` replaced by ``coarse``.

    Both float32 (H, W, 3). Enlarging loses a little of the finest; ``times`` more than 1 bring back what is missing
    (Irani and Peleg, Improving resolution by image registration, 1991).
    """
    height, width, _ = fine.shape
    rows, columns = max(1, coarse.shape[0] // finest), max(1, coarse.shape[1] // finest)
    wanted = resized(coarse, columns, rows)
    for _ in range(times):
        fine = fine + resized(wanted - resized(fine, columns, rows), width, height)
    return fine
