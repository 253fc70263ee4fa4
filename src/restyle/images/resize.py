"""Pictures at another size, the whole of each."""

from typing import TypeVar

import numpy as np
from PIL import Image

from restyle.images.pixels import Floats, Pixels

Picture = TypeVar("Picture", Pixels, Floats)


def resized(picture: Picture, width: int, height: int) -> Picture:
    """``picture``, uint8 (H, W, 3) or float32 (H, W, C), at that size in pixels; itself where it has that size.

    Lanczos, whose overshoots uint8 cuts off. Nothing cuts them off float32, so there enlarging is bicubic, which
    overshoots less; values may leave their range a little.
    """
    if picture.shape[:2] == (height, width):
        return picture
    if picture.dtype == np.uint8:
        return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS))
    kernel = Image.Resampling.LANCZOS if width < picture.shape[1] else Image.Resampling.BICUBIC
    planes = [Image.fromarray(picture[..., i]).resize((width, height), kernel) for i in range(picture.shape[2])]
    return np.stack([np.asarray(plane) for plane in planes], axis=-1)
