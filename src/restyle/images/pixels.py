"""What pictures are, as arrays."""

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
"""uint8 (H, W, 3), sRGB. Where it is said, (H, W, 4) with opacity, by which the colours are not multiplied."""

Floats = npt.NDArray[np.float32]
"""float32 (H, W, C) or a plane (H, W); colours are sRGB, 0..1 where nothing else is said."""


def unit(pixels: Pixels) -> Floats:
    """uint8 0..255, of any shape, as float32 0..1."""
    return pixels.astype(np.float32) / np.float32(255)
