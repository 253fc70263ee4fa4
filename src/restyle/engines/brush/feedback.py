"""What a sketch lacks of its reference's statistics, for the drawing itself to make up.

No decoder draws exactly the statistics it is asked for. What it misses shows in a sketch of half the size, for a
quarter of the work; asked for as much more, it comes nearer, as a thermostat does.
"""

import numpy as np

from restyle.engines.brush.encoder import STRIDE
from restyle.engines.brush.reference import Moments
from restyle.images.pixels import Floats

SMALLER = 2
"""A sketch's pixels cover so many of the base level, down and across."""
LEAST_SIDE = 4 * STRIDE
SKETCH_FRAME = 2 * STRIDE
"""Pixels mirrored around a sketch: less than a drawing has, for nobody looks at its borders."""
SHARE = 0.5
"""Of what is missed is made up."""
MOST = np.float32(2)
"""By which deviations grow or shrink at most, before the share."""

Correction = dict[str, tuple[Floats, Floats]]
"""Layer -> a factor of deviations and what is added to means, each (C,)."""


def sketch_size(width: int, height: int) -> tuple[int, int]:
    """Of a base level of that size, in whole places."""
    across, down = (max(LEAST_SIDE, round(edge / SMALLER / STRIDE) * STRIDE) for edge in (width, height))
    return across, down


def missed(drawn: Moments, reference: Moments) -> Correction:
    """What a drawing lacks of its reference's moments, as far as it is made up."""
    found = {}
    for layer, (wanted_mean, wanted_deviation) in reference.items():
        mean, deviation = drawn[layer]
        factor = np.clip(wanted_deviation / deviation, 1 / MOST, MOST) ** np.float32(SHARE)
        found[layer] = (factor, np.float32(SHARE) * (wanted_mean - mean))
    return found
