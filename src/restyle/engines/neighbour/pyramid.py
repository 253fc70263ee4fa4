"""Pictures as Laplacian pyramids: the variables that are optimised, so that broad and fine move at the same pace.

And a means to compare how much happens at each octave.

Burt and Adelson, The Laplacian pyramid as a compact image code (IEEE Trans. Communications, 1983).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as nn

LEAST_SIDE = 8
SHARPENED = 2
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
    """``picture`` with the contrast of ``like`` in its :data:`SHARPENED` finest octaves; both float32 (1, 3, H, W).

    ``amount``, 0..1, is the exponent of each octave's factor. Heeger and Bergen, Pyramid-based texture
    analysis/synthesis (SIGGRAPH 1995), of each octave's histogram only the width.
    """
    bands, wanted = analysed(picture, SHARPENED), analysed(like, SHARPENED)
    for number in range(min(len(bands), len(wanted)) - 1):
        have, want = bands[number].std(), wanted[number].std()
        factor = (want / have.clamp(min=1e-6)).clamp(1 / LARGEST_FACTOR, LARGEST_FACTOR)
        bands[number] = bands[number] * factor**amount
    return composed(bands)


def _enlarged(small: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return nn.interpolate(small, size=like.shape[2:], mode="bilinear", align_corners=False)
