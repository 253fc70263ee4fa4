"""Which places of the reference each place of the photograph takes its style from, and what is taken.

Local means and deviations through one attention map: Liu, Lin, He, Li, Wu, Li, Sun, Li, Ding, AdaAttN: Revisit
Attention Mechanism in Arbitrary Neural Style Transfer (ICCV 2021).
"""

from collections.abc import Collection, Mapping
from itertools import count

import torch
import torch.nn.functional as nn
from torch import Tensor

from training.encoder import CELL, LAYERS, Maps

EPSILON = 1e-5
FLOOR = 1e-3
"""Added to variances before they divide anything; a mean activation is 1. Faint noise must not become strokes."""
GROUP_SPREAD, GROUP_SHARE, GROUPS = 0.06, 0.4, 1500
"""Colours (0..1) that differ by that much still belong together; how far a place goes by its group; how many blocks of
places at most a group is gathered from."""
COMPARED = ("2_1", "3_1", "4_1")

Moments = dict[str, tuple[Tensor, Tensor]]
"""Layer -> mean and deviation (B, channels, h, w) on the grid of relu4_1."""
Corrections = Mapping[str, tuple[Tensor, Tensor]]
"""Layer -> a factor of deviations and what is added to means, (B, channels, 1, 1)."""


def normal(x: Tensor) -> Tensor:
    """Each channel with mean 0 and deviation 1 over the picture, float32."""
    x = x.float()
    x = x - x.mean((2, 3), keepdim=True)
    return x * x.square().mean((2, 3), keepdim=True).add(FLOOR).rsqrt()


def mean_and_variance(x: Tensor) -> tuple[Tensor, Tensor]:
    """Of each channel over the picture, float32 (B, C, 1, 1). Squares of differences: ``var`` is ten times as slow."""
    x = x.float()
    mean = x.mean((2, 3), keepdim=True)
    return mean, (x - mean).square().mean((2, 3), keepdim=True)


def pooled(x: Tensor, layer: str) -> Tensor:
    """The mean over each place of relu4_1."""
    return nn.avg_pool2d(x, CELL[layer]) if CELL[layer] > 1 else x


def columns(maps: Maps) -> Tensor:
    """What is compared: relu2_1, 3_1 and 4_1 on the grid of relu4_1, normalised, each layer counting alike.

    float32 (B, channels of :data:`COMPARED`, h, w).
    """
    return torch.cat([normal(pooled(maps[name], name)) / maps[name].shape[1] ** 0.5 for name in COMPARED], 1)


def grouped(query: Tensor, colours: Tensor) -> Tensor:
    """``query`` (B, C, h, w), of each place nearer to that of all places of its colour (B, 3, h, w), of length 1.

    relu4_1 sees an outline from 26 pixels away and would ask for another part of the reference there, which draws a
    halo around everything that stands before a sky. Tomasi and Manduchi, Bilateral Filtering (ICCV 1998), over the
    whole picture.
    """
    query = nn.normalize(query, dim=1)
    block = next(n for n in count(1) if query[0, 0].numel() <= GROUPS * n * n)
    blocks, theirs = (nn.avg_pool2d(x, block).flatten(2).transpose(1, 2) for x in (query, colours))
    apart = torch.cdist(colours.flatten(2).transpose(1, 2), theirs, compute_mode="donot_use_mm_for_euclid_dist")
    group = (apart.square() / (-2 * GROUP_SPREAD**2)).softmax(2) @ blocks
    group = nn.normalize(group, dim=2).transpose(1, 2).view_as(query)
    return nn.normalize(torch.lerp(query, group, GROUP_SHARE), dim=1)


def attention(query: Tensor, key: Tensor, sharpness: Tensor | float) -> Tensor:
    """Softmax of the cosines of all places: (B, places of ``query``, places of ``key``), both (B, C, h, w)."""
    ours, theirs = (nn.normalize(x.flatten(2), dim=1) for x in (query, key))
    return (ours.transpose(1, 2) @ theirs * sharpness).softmax(2)


def own_moments(maps: Maps, layers: Collection[str] = LAYERS) -> Moments:
    """Mean and deviation of a picture's own activations in each place of relu4_1, of ``layers``."""
    found = {}
    for name in layers:
        x = maps[name].float()
        mean = pooled(x, name)
        variance = pooled(x * x, name) - mean * mean
        found[name] = (mean, variance.clamp_min(0).add(EPSILON).sqrt())
    return found


def gathered(weights: Tensor, maps: Maps, grid: tuple[int, int], layers: Collection[str] = LAYERS) -> Moments:
    """Mean and deviation of what each place of ``grid`` attends to, of ``layers``."""
    values, shifts = [], []
    for name in layers:
        x = maps[name].float()
        shift = x.mean((2, 3), keepdim=True)  # moments around the mean lose fewer digits
        x = x - shift
        values += [pooled(x, name), pooled(x * x, name)]
        shifts.append(shift)
    taken = weights @ torch.cat(values, 1).flatten(2).transpose(1, 2)
    places = taken.transpose(1, 2).reshape(len(taken), -1, *grid)
    parts = torch.split(places, [maps[n].shape[1] for n in layers for _ in range(2)], 1)
    found = {}
    for name, shift, mean, square in zip(layers, shifts, parts[::2], parts[1::2], strict=True):
        found[name] = (mean + shift, (square - mean * mean).clamp_min(0).add(EPSILON).sqrt())
    return found


def enlarged(x: Tensor, factor: int) -> Tensor:
    """Bilinear."""
    return nn.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False) if factor > 1 else x


def dressed(content: Tensor, moments: tuple[Tensor, Tensor], layer: str) -> Tensor:
    """``content`` of that layer with the mean and deviation that its places have taken from the reference."""
    mean, deviation = (enlarged(m, CELL[layer]) for m in moments)
    return normal(content) * deviation + mean


def matched(x: Tensor, style: Tensor, amount: Tensor) -> Tensor:
    """``x`` nearer, by ``amount`` (1, C, 1, 1) of 0..1, to the mean and deviation of ``style`` over the whole picture.

    Attention may take a sky from one place and nothing from all others. Huang and Belongie, Arbitrary Style Transfer in
    Real-time with Adaptive Instance Normalization (ICCV 2017).
    """
    mean, variance = mean_and_variance(style)
    return torch.lerp(x, normal(x) * variance.add(EPSILON).sqrt() + mean, amount)


def corrected(x: Tensor, correction: tuple[Tensor, Tensor]) -> Tensor:
    """``x`` (B, C, h, w) with its deviations times the factor, and the shift."""
    factor, shift = correction
    mean = x.mean((2, 3), keepdim=True)
    return (x - mean) * factor + mean + shift
