"""Palettes: the linear map that gives a picture another's colours, and pictures that keep their own."""

import torch

Tensor = torch.Tensor

LUMA = (0.299, 0.587, 0.114)
"""ITU-R BT.601."""
_FLOOR = 1e-4
"""A flat picture has no covariance to stretch; this keeps its noise from being blown up."""


def with_palette(picture: Tensor, like: Tensor) -> Tensor:
    """``picture`` with the mean and covariance of the colours of ``like``; both float32 (1, 3, H, W), any sizes.

    Monge-Kantorovich: Pitié and Kokaram, The linear Monge-Kantorovitch linear colour mapping (CVMP 2007).
    """
    (mean, have), (wanted_mean, want) = _moments(picture), _moments(like)
    root, inverse = _power(have, 0.5), _power(have, -0.5)
    mapping = (inverse @ _power(root @ want @ root, 0.5) @ inverse).to(picture)
    offset = wanted_mean.to(picture) - mapping @ mean.to(picture)
    return torch.einsum("ij,bjhw->bihw", mapping, picture) + offset.view(1, 3, 1, 1)


def with_colours_of(drawn: Tensor, raw: Tensor) -> Tensor:
    """The lightness of ``drawn`` under the colours of ``raw``, both float32 (1, 3, H, W).

    Luminance-only transfer: Gatys, Bethge, Hertzmann, Shechtman, Preserving Color in Neural Artistic Style Transfer
    (2016).
    """
    weights = drawn.new_tensor(LUMA).view(1, 3, 1, 1)
    return raw + ((drawn - raw) * weights).sum(1, keepdim=True)


def _moments(picture: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (3,) and covariance (3, 3) of the colours, float64 on the CPU, where every machine has it."""
    pixels = picture[0].flatten(1).cpu().double()
    mean = pixels.mean(1)
    centred = pixels - mean[:, None]
    return mean, centred @ centred.T / pixels.shape[1] + _FLOOR * torch.eye(3, dtype=torch.float64)


def _power(matrix: Tensor, exponent: float) -> Tensor:
    values, vectors = torch.linalg.eigh(matrix)
    result: Tensor = (vectors * values.clamp(min=1e-12) ** exponent) @ vectors.T
    return result
