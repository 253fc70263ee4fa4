"""Pictures as Laplacian pyramids: the variables that are optimised, so that broad and fine move at the same pace.

And a means to compare how much happens at each octave.

Burt and Adelson, The Laplacian pyramid as a compact image code (IEEE Trans. Communications, 1983).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as nn

LEAST_SIDE = 8
SHARPENED = 2
LEAST_FACTOR, LARGEST_FACTOR = 0.25, 2.0
"""A grain that a factor beyond this would bring out was never drawn."""
QUANTILES, SAMPLES = 513, 1 << 17


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

    Each place of an octave is multiplied so that as many are as strong as in ``like``: lines become stronger, and a
    grain between them weaker. ``amount``, 0..1, is the factors' exponent. Heeger and Bergen, Pyramid-based texture
    analysis/synthesis (SIGGRAPH 1995), with the three colours as one.
    """
    bands, wanted = analysed(picture, SHARPENED), analysed(like, SHARPENED)
    for number in range(min(len(bands), len(wanted)) - 1):
        strength = bands[number].norm(dim=1, keepdim=True)
        have, want = _quantiles(strength), _quantiles(wanted[number].norm(dim=1, keepdim=True))
        factors = (want / have.clamp(min=1e-6)).clamp(LEAST_FACTOR, LARGEST_FACTOR)
        place = torch.searchsorted(have, strength.flatten()).clamp(max=QUANTILES - 1)
        bands[number] = bands[number] * factors[place].view_as(strength) ** amount
    return composed(bands)


def _quantiles(values: torch.Tensor) -> torch.Tensor:
    """:data:`QUANTILES` of them, from the least to the greatest, of at most :data:`SAMPLES` or so."""
    found = values.flatten()[:: max(1, values.numel() // SAMPLES)].sort().values
    return found[torch.linspace(0, len(found) - 1, QUANTILES).round().long().to(found.device)]


def _enlarged(small: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return nn.interpolate(small, size=like.shape[2:], mode="bilinear", align_corners=False)
