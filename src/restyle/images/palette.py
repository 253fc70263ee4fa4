"""Palettes: how a picture's colours are distributed, and the linear map that gives it another's."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from restyle.images.pixels import Floats

Doubles = npt.NDArray[np.float64]

FLOOR = 1e-4
"""A flat picture has no covariance to stretch; this keeps its noise from being blown up."""


@dataclass(frozen=True, slots=True)
class Palette:
    """``mean`` (3,) and ``covariance`` (3, 3) of colours 0..1, float64; the covariance has :data:`FLOOR` added."""

    mean: Doubles
    covariance: Doubles


def palette(colours: Floats | Doubles) -> Palette:
    """The palette of (N, 3) colours, computed in their own precision."""
    mean = colours.mean(0)
    centred = colours - mean
    covariance = (centred.T @ centred) / len(colours) + (FLOOR * np.eye(3)).astype(colours.dtype)
    return Palette(mean.astype(np.float64), covariance.astype(np.float64))


def palette_map(have: Palette, want: Palette) -> Doubles:
    """The matrix (3, 3) that, between the means, gives colours of one palette the other with the least change.

    A colour c becomes ``want.mean + matrix @ (c - have.mean)``. Monge-Kantorovich: Pitié and Kokaram, The linear
    Monge-Kantorovitch linear colour mapping (CVMP 2007).
    """
    return transport(have.covariance, want.covariance)


def transport(have: Doubles, want: Doubles) -> Doubles:
    """The symmetric matrix that gives points of covariance ``have`` the covariance ``want`` and moves them the least.

    All float64 (n, n); source as of :func:`palette_map`.
    """
    root, inverse_root = _power(have, 0.5), _power(have, -0.5)
    return inverse_root @ _power(root @ want @ root, 0.5) @ inverse_root


def _power(matrix: Doubles, exponent: float) -> Doubles:
    values, vectors = np.linalg.eigh(matrix)
    result: Doubles = (vectors * np.maximum(values, 1e-12) ** exponent) @ vectors.T
    return result


def picture_palette(picture: Floats) -> Palette:
    """The palette of float32 (H, W, 3): of every other pixel of every other row, since colours need no more."""
    return palette(np.ascontiguousarray(picture[::2, ::2]).reshape(-1, 3))


def with_palette(picture: Floats, want: Palette) -> Floats:
    """``picture``, float32 (H, W, 3), under another palette; values may leave 0..1."""
    have = picture_palette(picture)
    matrix = palette_map(have, want)
    offset = want.mean - have.mean @ matrix.T
    mapped: Floats = picture @ matrix.T.astype(np.float32) + offset.astype(np.float32)
    return mapped
