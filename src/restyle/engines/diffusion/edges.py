"""Edges of a picture, as ControlNets of kind ``canny`` are shown them."""

import os
from functools import cache
from types import ModuleType

import numpy as np

from restyle.images.pixels import Pixels

LOW, HIGH = 100, 200
"""Canny's thresholds, on gradients of a Sobel filter over 0..255: those that the ControlNet was trained with."""


def canny(pixels: Pixels) -> Pixels:
    """Edges (Canny 1986) by the detector that the networks learned with: white on black, uint8 (H, W, 3)."""
    edges: Pixels = _opencv().Canny(np.ascontiguousarray(pixels), LOW, HIGH)
    return np.repeat(edges[..., None], 3, axis=2)


@cache
def _opencv() -> ModuleType:
    """OpenCV, imported without a trace: its import lengthens LD_LIBRARY_PATH for every process started later."""
    before = os.environ.get("LD_LIBRARY_PATH")
    import cv2

    if before is None:
        os.environ.pop("LD_LIBRARY_PATH", None)
    else:
        os.environ["LD_LIBRARY_PATH"] = before
    return cv2
