"""Pictures under another's palette, and pictures that keep their own colours, as tensors."""

import torch

from restyle.images.luma import LUMA
from restyle.images.palette import Palette, palette, palette_map

Tensor = torch.Tensor


def with_palette(picture: Tensor, like: Tensor) -> Tensor:
    """``picture`` with the mean and covariance of the colours of ``like``; both float32 (1, 3, H, W), any sizes."""
    have, want = _palette(picture), _palette(like)
    mapping, mean, wanted_mean = (
        torch.from_numpy(array).to(picture) for array in (palette_map(have, want), have.mean, want.mean)
    )
    offset = wanted_mean - mapping @ mean
    return torch.einsum("ij,bjhw->bihw", mapping, picture) + offset.view(1, 3, 1, 1)


def with_colours_of(drawn: Tensor, raw: Tensor) -> Tensor:
    """The lightness of ``drawn`` under the colours of ``raw``, both float32 (1, 3, H, W).

    Luminance-only transfer: Gatys, Bethge, Hertzmann, Shechtman, Preserving Color in Neural Artistic Style Transfer
    (2016).
    """
    weights = drawn.new_tensor(LUMA).view(1, 3, 1, 1)
    return raw + ((drawn - raw) * weights).sum(1, keepdim=True)


def _palette(picture: Tensor) -> Palette:
    """Of all pixels, in float64 on the CPU, where every machine has it."""
    return palette(picture[0].flatten(1).cpu().double().numpy().T)
