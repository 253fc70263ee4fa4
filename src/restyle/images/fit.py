"""How a picture of one shape meets a size of another."""

from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from restyle.images.pixels import Pixels

BLUR = 1 / 16
"""Radius of the blur of filled borders, as a share of the result's shorter side."""

WEIGHT = 191
"""Of a colour, for each level of its opacity: opaque is three quarters of what 16 bits can hold."""

RAMP = 0.6
"""How soon that blur is reached, in radii from the picture's edge: soon enough that nothing shows twice."""


class ResizeMode(StrEnum):
    """The names of Stable Diffusion WebUI."""

    JUST_RESIZE = "JustResize"
    CROP_AND_RESIZE = "CropAndResize"
    RESIZE_AND_FILL = "ResizeAndFill"


def fit(pixels: Pixels, width: int, height: int, mode: ResizeMode = ResizeMode.CROP_AND_RESIZE) -> Pixels:
    """``pixels``, uint8 (H, W, 3), as exactly (height, width, 3), Lanczos filtered; (H, W, 4) in the same way.

    ``JustResize`` stretches; ``CropAndResize`` keeps the shape and loses what the centre cut leaves out;
    ``ResizeAndFill`` keeps the whole picture and continues it past its edges. A picture that has the size already is
    returned as it is.
    """
    if pixels.shape[:2] == (height, width):
        return pixels
    match mode:
        case ResizeMode.JUST_RESIZE:
            return _resize(pixels, width, height)
        case ResizeMode.CROP_AND_RESIZE:
            return _resize(pixels, width, height, _centre_cut(pixels, width, height))
        case ResizeMode.RESIZE_AND_FILL:
            return _resize_and_fill(pixels, width, height)


def _resize(pixels: Pixels, width: int, height: int, box: tuple[float, float, float, float] | None = None) -> Pixels:
    def scaled(plane: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]) -> npt.NDArray[Any]:
        return np.array(Image.fromarray(plane).resize((width, height), Image.Resampling.LANCZOS, box=box))

    if pixels.shape[2] == 3:
        return scaled(pixels)
    # Lanczos overshoots at edges; 16 bits hold more than opaque, so colours do so together with what weighs them.
    opacity = np.ascontiguousarray(pixels[..., 3])
    weights = opacity.astype(np.uint16) * WEIGHT
    share = np.maximum(scaled(weights), 1) / np.float32(255)
    result = np.empty((height, width, 4), np.uint8)
    for channel in range(3):
        weighted = ((pixels[..., channel] * weights.astype(np.uint32) + 127) // 255).astype(np.uint16)
        result[..., channel] = (scaled(weighted) / share).round().clip(0, 255)
    result[..., 3] = scaled(opacity)
    return result


def _centre_cut(pixels: Pixels, width: int, height: int) -> tuple[float, float, float, float]:
    """The largest centred box of the target's shape, in fractions of pixels so that the shape is exact."""
    have_height, have_width = pixels.shape[:2]
    scale = min(have_width / width, have_height / height)
    cut_width, cut_height = min(width * scale, have_width), min(height * scale, have_height)
    left, top = (have_width - cut_width) / 2, (have_height - cut_height) / 2
    return left, top, min(left + cut_width, have_width), min(top + cut_height, have_height)


def _resize_and_fill(pixels: Pixels, width: int, height: int) -> Pixels:
    """Scale to fit inside; mirror the picture into the rest and blur it there, more the farther out.

    A plain mirror shows a second sun, and stretched edge pixels are streaks that an engine would draw as hatching; the
    mirror's colours and tones without its things continue the picture quietly.
    """
    have_height, have_width = pixels.shape[:2]
    scale = min(width / have_width, height / have_height)
    inner_width = min(width, max(1, round(have_width * scale)))
    inner_height = min(height, max(1, round(have_height * scale)))
    inner = _resize(pixels, inner_width, inner_height)
    left, top = (width - inner_width) // 2, (height - inner_height) // 2
    borders = ((top, height - inner_height - top), (left, width - inner_width - left))
    mirrored = np.pad(inner, (*borders, (0, 0)), mode="symmetric")

    radius = max(1.0, min(width, height) * BLUR)
    whole = Image.fromarray(mirrored)
    if whole.mode == "RGBA":  # so that colours are weighed by their opacity
        whole = whole.convert("RGBa")
    blurred = whole.filter(ImageFilter.GaussianBlur(radius))
    down, across = np.ogrid[:height, :width]
    outside = np.maximum(
        np.maximum(top - down, down - (top + inner_height - 1)),
        np.maximum(left - across, across - (left + inner_width - 1)),
    )
    weight = np.clip(outside / (RAMP * radius), 0, 1)
    mask = Image.fromarray((weight * 255).round().astype(np.uint8))
    found = Image.composite(blurred, whole, mask)
    result = np.array(found.convert("RGBA") if found.mode == "RGBa" else found)
    result[top : top + inner_height, left : left + inner_width] = inner  # not rounded with its opacity
    return result
