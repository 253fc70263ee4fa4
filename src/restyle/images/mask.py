"""Masks: pictures that say where something is redrawn, and what becomes of the rest."""

import numpy as np

from restyle.images.luma import luma
from restyle.images.pixels import Pixels


def opening(picture: Pixels) -> Pixels:
    """How far a mask, uint8 (H, W, 3), is open: its luma, uint8 (H, W); 255 is redrawn, 0 stays as it is."""
    found: Pixels = luma(picture.astype(np.float32)).round().clip(0, 255).astype(np.uint8)
    return found


def masked(drawn: Pixels, raw: Pixels, mask: Pixels) -> Pixels:
    """``drawn`` where ``mask`` (H, W) is 255, ``raw`` where it is 0, and as much of either between."""
    share = mask[..., None].astype(np.float32) / np.float32(255)
    mixed = raw + share * (drawn.astype(np.float32) - raw)
    found: Pixels = mixed.round().clip(0, 255).astype(np.uint8)
    return found
