"""Real photographs, of those that come with scikit-image."""

import numpy as np
from PIL import Image
from skimage import data

from restyle.images.pixels import Pixels


def photograph(name: str, width: int, height: int) -> Pixels:
    """The picture ``skimage.data.<name>`` at another size and shape, uint8 (height, width, 3)."""
    return np.asarray(Image.fromarray(getattr(data, name)()).convert("RGB").resize((width, height)))
