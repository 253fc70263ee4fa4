"""Pictures as Laplacian pyramids: the variables that are optimised, so that broad and fine move at the same pace.

Burt and Adelson, The Laplacian pyramid as a compact image code (IEEE Trans. Communications, 1983).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as nn

LEAST_SIDE = 8


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


def _enlarged(small: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return nn.interpolate(small, size=like.shape[2:], mode="bilinear", align_corners=False)
