"""What a decoded picture is."""

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
"""uint8 (H, W, 3), sRGB."""
