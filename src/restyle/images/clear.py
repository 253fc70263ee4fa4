"""Pictures that are not opaque everywhere: uint8 (H, W, 4), whose colours are not multiplied by their opacity."""

import numpy as np

from restyle.images.pixels import Floats, Pixels
from restyle.images.resize import resized

LEAST = 1e-6


def is_clear(pixels: Pixels) -> bool:
    """Whether ``pixels``, (H, W, 3) or (H, W, 4), say how opaque they are."""
    return bool(pixels.shape[2] == 4)


def filled(pixels: Pixels) -> Pixels:
    """The colours of ``pixels``, (H, W, 4), as (H, W, 3); what is clear continues what is seen around it.

    Colours that nobody saw, black mostly, would show at the edges of what is drawn from them. Where nothing is seen at
    all it is white.
    """
    colours, opacity = pixels[..., :3], pixels[..., 3]
    if opacity.all():
        return np.ascontiguousarray(colours)
    weight: Floats = opacity[..., None].astype(np.float32) / np.float32(255)
    around = _around(colours.astype(np.float32) * weight, weight)
    return np.where(opacity[..., None] > 0, colours, around.round().clip(0, 255).astype(np.uint8))


def with_opacity(drawn: Pixels, pixels: Pixels) -> Pixels:
    """``drawn``, (H, W, 3), as opaque as ``pixels``, (H, W, 4), is; what is wholly clear keeps the colours it had."""
    opacity = pixels[..., 3:]
    return np.concatenate([np.where(opacity > 0, drawn, pixels[..., :3]), opacity], axis=-1)


def _around(colours: Floats, weight: Floats) -> Floats:
    """Means of ever wider neighbourhoods, each no wider than it takes to see something: float32 (H, W, 3), 0..255.

    ``colours`` are (H, W, 3), multiplied by ``weight``, (H, W, 1).
    """
    height, width = weight.shape[:2]
    seen = weight > LEAST
    here = np.where(seen, colours / np.maximum(weight, LEAST), 255)
    if seen.all() or max(height, width) == 1:
        return here
    wider = _around(_halved(colours), _halved(weight))
    return np.where(seen, here, resized(wider.astype(np.float32), width, height))


def _halved(planes: Floats) -> Floats:
    """Means of 2 x 2 pixels; an odd row or column counts twice."""
    height, width = planes.shape[:2]
    even = np.pad(planes, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    found: Floats = even.reshape((height + 1) // 2, 2, (width + 1) // 2, 2, -1).mean(axis=(1, 3), dtype=np.float32)
    return found
