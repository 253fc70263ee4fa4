"""How light a colour is."""

import numpy as np

from restyle.images.pixels import Floats

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""Shares of red, green and blue: ITU-R BT.601."""


def luma(picture: Floats) -> Floats:
    """float32 (H, W), in the range of ``picture``, float32 (H, W, 3)."""
    result: Floats = picture @ LUMA
    return result
