"""What of a picture ControlNets are shown, as far as a formula finds it: the picture itself, edges, and lines.

Depth, soft edges (HED) and poses are found by networks of their own, which do not come along; their maps are the
client's.
"""

import os
from functools import cache
from types import ModuleType

import numpy as np

from restyle.images.pixels import Pixels

FOUND = ("canny", "tile", "lineart")
"""Kinds of control that need no further network."""
LOW, HIGH = 100, 200
"""Canny's thresholds, on gradients of a Sobel filter over 0..255: those that the ControlNet was trained with."""


def canny(pixels: Pixels) -> Pixels:
    """Edges (Canny 1986) by the detector that the networks learned with: white on black, uint8 (H, W, 3)."""
    edges: Pixels = _opencv().Canny(np.ascontiguousarray(pixels), LOW, HIGH)
    return np.repeat(edges[..., None], 3, axis=2)


AROUND = 6.0
"""Standard deviation, in pixels, of the neighbourhood that lines are darker than."""
FAINT, BRIGHT, LEAST = 8, 127, 16
"""Differences below FAINT are no lines; the median of the rest is drawn as BRIGHT, and counts as LEAST at least."""


def lineart(pixels: Pixels) -> Pixels:
    """Lines, where the picture is darker than what is around it: white on black, uint8 (H, W, 3).

    The preprocessor "standard lineart" of ControlNet's extension for the Stable Diffusion WebUI: the least difference
    of the three channels to their Gaussian blur, its median brought to a middle grey.
    """
    picture = np.ascontiguousarray(pixels, np.float32)
    darker = (_opencv().GaussianBlur(picture, (0, 0), AROUND) - picture).min(axis=2).clip(0, 255)
    lines = darker[darker > FAINT]
    scale = BRIGHT / max(LEAST, float(np.median(lines)) if lines.size else 0.0)
    drawn: Pixels = (darker * scale).clip(0, 255).astype(np.uint8)
    return np.repeat(drawn[..., None], 3, axis=2)


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
