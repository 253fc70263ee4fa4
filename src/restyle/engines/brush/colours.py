"""The colours of a drawn picture as a whole, brought nearer to those of its reference.

Attention mixes what it takes, so colours come out muted.
"""

from dataclasses import dataclass

import numpy as np

from restyle.images.palette import Palette, palette_map
from restyle.images.pixels import Floats

LEAST_SLOPE, MOST_SLOPE = 0.5, 2.0
"""A flat picture must not become a noisy one."""


@dataclass(frozen=True, slots=True)
class Mapping:
    """Colours times ``slope`` (3, 3), plus ``offset`` (3,)."""

    slope: Floats
    offset: Floats

    def __call__(self, picture: Floats) -> Floats:
        """float32 (H, W, 3)."""
        mapped: Floats = picture @ self.slope + self.offset
        return mapped


def mapping(ours: Palette, theirs: Palette, amount: float) -> Mapping:
    """``amount``, 0..1, of the way from colours distributed like ``ours`` to ``theirs``."""
    values, axes = np.linalg.eigh(palette_map(ours, theirs))
    slope = (axes * np.clip(values, LEAST_SLOPE, MOST_SLOPE)) @ axes.T
    offset = amount * (theirs.mean - ours.mean @ slope)
    return Mapping(((1 - amount) * np.eye(3) + amount * slope).astype(np.float32), offset.astype(np.float32))
