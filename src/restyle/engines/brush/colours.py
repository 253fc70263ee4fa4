"""The colours of a drawn picture as a whole, brought nearer to those of its reference.

Attention mixes what it takes, so colours come out muted. Pitié and Kokaram, The Linear Monge-Kantorovitch Linear Colour
Mapping for Example-Based Colour Transfer (CVMP 2007).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from restyle.images.pixels import Floats

FLOOR = 0.02**2
"""Added to variances of colours (0..1) along every axis."""
LEAST_SLOPE, MOST_SLOPE = 0.5, 2.0
"""A flat picture must not become a noisy one."""

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Spread:
    """Of a picture's colours: ``mean`` (3,) and ``covariance`` (3, 3)."""

    mean: Doubles
    covariance: Doubles


@dataclass(frozen=True, slots=True)
class Mapping:
    """Colours times ``slope`` (3, 3), plus ``offset`` (3,)."""

    slope: Floats
    offset: Floats

    def __call__(self, picture: Floats) -> Floats:
        """float32 (H, W, 3)."""
        mapped: Floats = picture @ self.slope + self.offset
        return mapped


def spread(picture: Floats) -> Spread:
    """Of float32 (H, W, 3)."""
    pixels = picture.reshape(-1, 3).astype(np.float64)
    return Spread(pixels.mean(0), np.cov(pixels, rowvar=False, bias=True))


def mapping(ours: Spread, theirs: Spread, amount: float) -> Mapping:
    """``amount``, 0..1, of the way from colours spread like ``ours`` to ``theirs``."""
    root, inverse = _powers(ours.covariance + FLOOR * np.eye(3))
    middle, _ = _powers(root @ (theirs.covariance + FLOOR * np.eye(3)) @ root)
    values, axes = np.linalg.eigh(inverse @ middle @ inverse)
    slope = (axes * np.clip(values, LEAST_SLOPE, MOST_SLOPE)) @ axes.T
    offset = amount * (theirs.mean - ours.mean @ slope)
    return Mapping(((1 - amount) * np.eye(3) + amount * slope).astype(np.float32), offset.astype(np.float32))


def _powers(matrix: Doubles) -> tuple[Doubles, Doubles]:
    """The square root of a symmetric positive matrix, and its inverse."""
    values, axes = np.linalg.eigh(matrix)
    root = np.sqrt(np.maximum(values, FLOOR * FLOOR))
    return (axes * root) @ axes.T, (axes / root) @ axes.T
