"""Pictures as Laplacian pyramids: the variables that are optimised, so that broad and fine move at the same pace.

And a means to compare how much happens at each octave.

Burt and Adelson, The Laplacian pyramid as a compact image code (IEEE Trans. Communications, 1983).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as nn

LEAST_SIDE = 8
SHARPENED = 2
NEAR = 5
"""Pixels a side of the square over which contrast is taken, within an octave."""
LARGEST_FACTOR = 2.0
"""A grain that a factor beyond this would bring out was never drawn."""


def analysed(picture: torch.Tensor, levels: int) -> list[torch.Tensor]:
    """float32 (1, 3, H, W) as up to ``levels`` bands, finest first, and the small rest."""
    bands = []
    for _ in range(levels):
        if min(picture.shape[2:]) < LEAST_SIDE:
            break
        small = nn.avg_pool2d(picture, 2, ceil_mode=True)
        bands.append(picture - _enlarged(small, picture))
        picture = small
    return [*bands, picture]


def composed(bands: Sequence[torch.Tensor]) -> torch.Tensor:
    """The picture whose :func:`analysed` bands these are."""
    picture = bands[-1]
    for band in reversed(bands[:-1]):
        picture = band + _enlarged(picture, band)
    return picture


def with_contrast(picture: torch.Tensor, like: torch.Tensor, amount: float) -> torch.Tensor:
    """``picture`` with the contrasts of ``like`` in its :data:`SHARPENED` finest octaves; both float32 (1, 3, H, W).

    Of each octave the contrasts are put in order, and each becomes the one of its rank in ``like``: its lines get as
    strong as those of ``like``, and where the least happens, as little happens as there. One factor for all would bring
    out the grain with the lines. ``amount``: 0 leaves the picture as it is, 1 goes all the way. In the manner of Heeger
    and Bergen, Pyramid-based texture analysis/synthesis (SIGGRAPH 1995), who match histograms of each octave's values.
    """
    bands, wanted = analysed(picture, SHARPENED), analysed(like, SHARPENED)
    for number in range(min(len(bands), len(wanted)) - 1):
        have = _contrast(bands[number])
        factor = (_ranked(have, _contrast(wanted[number])) / have.clamp(min=1e-6)).clamp(max=LARGEST_FACTOR)
        bands[number] = bands[number] * (1 + amount * (factor - 1))
    return composed(bands)


def _contrast(band: torch.Tensor) -> torch.Tensor:
    """Root of the mean square about each place, (1, 1, H, W)."""
    squares = band.square().mean(1, keepdim=True)
    return nn.avg_pool2d(squares, NEAR, 1, NEAR // 2, count_include_pad=False).sqrt()


def _ranked(values: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """For each of ``values`` the one of its rank in ``like``; any sizes."""
    sorted_ = like.flatten().sort().values
    wanted = nn.interpolate(sorted_[None, None], values.numel(), mode="linear", align_corners=True)[0, 0]
    order = values.flatten().argsort(stable=True)
    return torch.empty_like(wanted).scatter_(0, order, wanted).view_as(values)


def _enlarged(small: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return nn.interpolate(small, size=like.shape[2:], mode="bilinear", align_corners=False)
