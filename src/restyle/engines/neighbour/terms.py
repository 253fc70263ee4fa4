"""The terms of the sum that the optimisation lowers. Each takes pictures as float32 (1, 3, H, W), 0..1."""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as nn

from restyle.engines.neighbour.outline import Windows, halved, lightness_of
from restyle.engines.neighbour.reference import MEASURED, Reference, moments_of
from restyle.engines.neighbour.vgg import Maps, Tensor

DIRECTIONS = 24
SAMPLES = 2048
OCTAVES = 4


def matching(found: Sequence[Tensor], wanted: Sequence[Tensor], scales: Sequence[float]) -> Tensor:
    """Squared distance of hypercolumns from the reference's columns they were matched with, the mean over columns.

    Layer by layer, both (N, channels), each layer times its scale. Kolkin, Kucera, Paris, Sykora, Shechtman,
    Shakhnarovich: Neural Neighbor Style Transfer (2022). They take the cosine; the squared distance keeps the
    reference's contrast too.
    """
    layers = zip(found, wanted, scales, strict=True)
    return torch.stack([scale**2 * nn.mse_loss(x, y, reduction="sum") / len(x) for x, y, scale in layers]).sum()


def moments(maps: Maps, wanted: Mapping[str, tuple[Tensor, Tensor]]) -> Tensor:
    """Relative squared distance of channel means and deviations, the mean over layers.

    Huang and Belongie, Arbitrary Style Transfer in Real-time with Adaptive Instance Normalization (ICCV 2017).
    """
    distances = []
    for layer in MEASURED:
        (mean, deviation), (wanted_mean, wanted_deviation) = moments_of(maps[layer]), wanted[layer]
        distance = (mean - wanted_mean).square().sum() + (deviation - wanted_deviation).square().sum()
        distances.append(distance / (wanted_mean.square().sum() + wanted_deviation.square().sum()))
    return torch.stack(distances).mean()


def colours(picture: Tensor, reference: Reference, generator: torch.Generator) -> Tensor:
    """Sliced Wasserstein distance of 3x3 patches of two pictures: the mean over directions, summed over octaves.

    Rabin, Peyré, Delon, Bernot: Wasserstein barycenter and its application to texture mixing (SSVM 2011).
    """
    total = picture.new_zeros(())
    other = reference.picture
    for _ in range(OCTAVES):
        if min(*picture.shape[2:], *other.shape[2:]) < 6:
            break
        directions = torch.randn(DIRECTIONS, 27, generator=generator)
        directions = (directions / directions.norm(dim=1, keepdim=True)).to(picture.device)
        ours, theirs = (directions @ _patches(x, generator) for x in (picture, other))
        total = total + (ours.sort(1).values - theirs.sort(1).values).abs().mean()
        picture, other = nn.avg_pool2d(picture, 2), nn.avg_pool2d(other, 2)
    return total


def _patches(picture: Tensor, generator: torch.Generator) -> Tensor:
    """:data:`SAMPLES` 3x3 patches from anywhere, (27, SAMPLES)."""
    height, width = picture.shape[2] - 2, picture.shape[3] - 2
    place = torch.randint(height * width, (SAMPLES,), generator=generator).to(picture.device)
    shifts = torch.arange(3, device=picture.device)
    down = (place // width)[None, :] + shifts[:, None]
    across = (place % width)[None, :] + shifts[:, None]
    return picture[0][:, down[:, None], across[None]].flatten(0, 2)


def content(found: Tensor, wanted: Tensor) -> Tensor:
    """Relative squared distance of activations: Gatys, Ecker, Bethge, Image Style Transfer Using CNNs (CVPR 2016)."""
    return (found - wanted).square().mean() / wanted.square().mean().clamp(min=1e-6)


def structure(picture: Tensor, octaves: Sequence[Windows]) -> Tensor:
    """How far the picture's lightness is from going with the photograph's in small windows, summed over octaves.

    0: together everywhere; 1 for an octave without a common structure. Windows count by the photograph's own contrast,
    so that the subject's edges are held and what is flat asks for nothing.
    """
    total = picture.new_zeros(())
    lightness = lightness_of(picture)
    for number, windows in enumerate(octaves):
        lightness = halved(lightness) if number else lightness
        total = total + (windows.weight * (1 - windows.correlation(lightness))).sum()
    return total


def roughness(picture: Tensor, flatness: Tensor) -> Tensor:
    """Total variation: mean absolute difference of neighbouring pixels, down plus across, each times its ``flatness``.

    ``flatness`` (1, 1, H, W) is 1 in the mean. With it the texture that the reference's statistics ask for goes where
    the photograph has some, and not as grain into its flats.
    """
    down = ((picture[:, :, 1:] - picture[:, :, :-1]).abs().sum(1, keepdim=True) * flatness[:, :, 1:]).mean()
    across = ((picture[..., 1:] - picture[..., :-1]).abs().sum(1, keepdim=True) * flatness[..., 1:]).mean()
    return (down + across) / picture.shape[1]


def outside(picture: Tensor) -> Tensor:
    """Mean square of what leaves 0..1."""
    return (picture - picture.clamp(0, 1)).square().mean()
