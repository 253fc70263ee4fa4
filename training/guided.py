"""Coarse colours that follow the photograph's: what keeps halos away.

relu4_1 sees an outline from 26 pixels away, and what is drawn there differs from the rest of the sky. He, Sun, Tang,
Guided Image Filtering (ECCV 2010).
"""

import torch
import torch.nn.functional as nn
from torch import Tensor

REACH, CONTRAST = 6, 0.05
"""Places that are seen to each side, and differences that are no edge."""
CELL = 8
"""Pixels that are averaged to one place."""


def calmed(drawn: Tensor, photographs: Tensor) -> Tensor:
    """``drawn`` with coarse colours that are locally affine in the photograph's; both (B, 3, H, W), whole places."""
    ours, guide = nn.avg_pool2d(drawn, CELL), nn.avg_pool2d(photographs, CELL)
    change = guided(ours, guide) - ours
    return drawn + nn.interpolate(change, scale_factor=CELL, mode="bilinear", align_corners=False)


def guided(x: Tensor, guide: Tensor) -> Tensor:
    """The guided filter of (B, 3, h, w) by another picture of that shape, all three colours of it together."""
    mean_x, mean_guide = _around(x), _around(guide)
    with torch.no_grad():
        squares = _around(_products(guide, guide)) - _products(mean_guide, mean_guide)
        inverse = torch.linalg.inv(_matrices(squares) + CONTRAST**2 * torch.eye(3, device=guide.device))
    slopes = inverse @ _matrices(_around(_products(guide, x)) - _products(mean_guide, mean_x))
    offset = mean_x - torch.einsum("bhwgd,bghw->bdhw", slopes, mean_guide)
    slopes = _matrices(_around(slopes.flatten(3).permute(0, 3, 1, 2)))
    return torch.einsum("bhwgd,bghw->bdhw", slopes, guide) + _around(offset)


def _around(x: Tensor) -> Tensor:
    """Means over the places that are seen from each."""
    return nn.avg_pool2d(x, 2 * REACH + 1, 1, REACH, count_include_pad=False)


def _matrices(x: Tensor) -> Tensor:
    """(B, 9, h, w) as a 3x3 matrix at every place, (B, h, w, 3, 3)."""
    return x.permute(0, 2, 3, 1).reshape(x.shape[0], *x.shape[2:], 3, 3)


def _products(first: Tensor, second: Tensor) -> Tensor:
    """(B, 3, h, w) twice to (B, 9, h, w): every channel of the first with every one of the second."""
    return (first[:, :, None] * second[:, None]).flatten(1, 2)
