"""What is asked of a drawn picture, and how it is judged on pictures that were held back."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as nn
from torch import Tensor

from training.attention import EPSILON, attention, columns, dressed, gathered, grouped, mean_and_variance, normal
from training.encoder import COLOURS, LAYERS, Encoder, Maps

OCTAVES = 3
"""At which 5x5 patches of colours are compared."""
STRUCTURE_OCTAVES = 3
"""At which the luma of both pictures is compared; pictures must have 28 pixels at least."""
TARGETS = ("3_1", "4_1")
"""The layers that have local targets."""
TARGET_SHARPNESS = 32.0
"""Of the attention that makes the local targets, which is not trained."""
LUMA = (0.299, 0.587, 0.114)

Terms = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class Slices:
    """How many random directions distributions are compared along, and how many places of each picture."""

    directions: int
    places: int


def terms(
    encoder: Encoder,
    out: Tensor,
    pictures: Tensor,
    style: Tensor,
    seen: tuple[Maps, Maps],
    *,
    alike: int,
    slices: Slices,
) -> Terms:
    """Every term, not weighted. ``pictures`` and ``style`` are (B, 3, H, W), 0..1; ``seen`` is what was seen in them.

    Of the last ``alike`` pairs, perhaps none, the photograph is its own reference: they must come back as they are.
    """
    content_maps, style_maps = seen
    drawn = encoder(out)
    with torch.no_grad():
        weights = attention(
            grouped(columns(content_maps), content_maps[COLOURS]), columns(style_maps), TARGET_SHARPNESS
        )
        grid = (content_maps["4_1"].shape[2], content_maps["4_1"].shape[3])
        moments = gathered(weights, style_maps, grid, TARGETS)
        targets = {name: dressed(content_maps[name], moments[name], name) for name in TARGETS}
    return {
        "content": normalised_content(drawn, content_maps),
        "structure": structure_loss(out, pictures),
        "moments": moment_loss(drawn, style_maps),
        "gram": gram_loss(drawn, style_maps),
        "sliced": _mean([sliced_loss(drawn[name], style_maps[name], slices) for name in ("2_1", "3_1", "4_1")]),
        "patches": patch_loss(out, style, slices),
        "local": _mean([(drawn[n].float() - t).square().mean() / t.var() for n, t in targets.items()]),
        "identity": (out[-alike:] - pictures[-alike:]).abs().mean() if alike else out.new_zeros(()),
    }


def normalised_content(drawn: Maps, content: Maps) -> Tensor:
    """Squared difference of normalised relu4_1: what is where, whatever its contrast."""
    return (normal(drawn["4_1"]) - normal(content["4_1"])).square().mean()


def moment_loss(drawn: Maps, style: Maps) -> Tensor:
    """AdaIN's style loss (Huang and Belongie, ICCV 2017), relative, so that layers count alike."""
    parts = []
    for name in LAYERS:
        ours, theirs = mean_and_variance(drawn[name]), mean_and_variance(style[name])
        for a, b in ((ours[0], theirs[0]), (ours[1].add(EPSILON).sqrt(), theirs[1].add(EPSILON).sqrt())):
            parts.append(((a - b).square().sum(1) / b.square().sum(1).add(EPSILON)).mean())
    return _mean(parts)


def gram(x: Tensor) -> Tensor:
    """float32 (B, C, C): products of channels, the mean over the picture; multiplied in the precision of ``x``."""
    flat = x.permute(0, 2, 3, 1).flatten(1, 2)  # as it lies in memory
    return (flat.transpose(1, 2) @ flat / flat.shape[1]).float()


def gram_loss(drawn: Maps, style: Maps) -> Tensor:
    """Gatys, Ecker, Bethge, Image Style Transfer Using Convolutional Neural Networks (CVPR 2016), relative."""
    parts = []
    for name in LAYERS:
        ours, theirs = gram(drawn[name]), gram(style[name])
        parts.append(((ours - theirs).square().sum((1, 2)) / theirs.square().sum((1, 2)).add(EPSILON)).mean())
    return _mean(parts)


def sliced_loss(drawn: Tensor, style: Tensor, slices: Slices) -> Tensor:
    """Squared distance of sorted projections on random directions, relative to the projections' variance.

    Heitz, Vanhoey, Chambon, Belcour, A Sliced Wasserstein Loss for Neural Texture Synthesis (CVPR 2021).
    """
    ours, theirs = drawn.float().flatten(2), style.float().flatten(2)
    directions = nn.normalize(torch.randn(slices.directions, ours.shape[1], device=ours.device), dim=1)
    return _sorted_distance(*(directions @ _picked(x, slices.places) for x in (ours, theirs)))


def patch_loss(out: Tensor, style: Tensor, slices: Slices) -> Tensor:
    """The same of 5x5 patches of colours, the mean over octaves. No network has a part in it."""
    parts = []
    for octave in range(OCTAVES):
        if octave:
            out, style = (nn.avg_pool2d(x, 2) for x in (out, style))
        directions = nn.normalize(torch.randn(slices.directions, 75, device=out.device), dim=1).view(-1, 3, 5, 5)
        projected = [nn.conv2d(x, directions, stride=2 if octave == 0 else 1).flatten(2) for x in (out, style)]
        parts.append(_sorted_distance(*(_picked(x, slices.places) for x in projected)))
    return _mean(parts)


def structure_loss(out: Tensor, pictures: Tensor) -> Tensor:
    """What structural similarity lacks to 1, the mean over octaves; of the coarser ones without the brightness.

    There a dark reference may darken a bright sky, but not turn light and shade around. Wang, Simoncelli, Bovik,
    Multi-scale Structural Similarity for Image Quality Assessment (Asilomar 2003).
    """
    first, second = luma(out), luma(pictures)
    parts = [structural_similarity(first, second)]
    for _ in range(STRUCTURE_OCTAVES - 1):
        first, second = (nn.avg_pool2d(x, 2) for x in (first, second))
        parts.append(structural_similarity(first, second, brightness=False))
    return 1 - _mean(parts)


def structural_similarity(first: Tensor, second: Tensor, *, brightness: bool = True) -> Tensor:
    """Wang, Bovik, Sheikh, Simoncelli, Image Quality Assessment (IEEE TIP 2004), of planes (B, 1, H, W) of 0..1.

    Windows are 7x7 means instead of Gaussians.
    """
    a, b = nn.avg_pool2d(first, 7, 1), nn.avg_pool2d(second, 7, 1)
    squares = (nn.avg_pool2d(x * y, 7, 1) for x, y in ((first, first), (second, second), (first, second)))
    aa, bb, ab = squares
    c1, c2 = 0.01**2, 0.03**2
    likeness = (2 * (ab - a * b) + c2) / (aa - a * a + bb - b * b + c2)
    if brightness:
        likeness = likeness * (2 * a * b + c1) / (a * a + b * b + c1)
    return likeness.mean()


def luma(pictures: Tensor) -> Tensor:
    """(B, 3, H, W) to (B, 1, H, W): ITU-R BT.601."""
    return (pictures * pictures.new_tensor(LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)


@torch.no_grad()
def judged(drawn: Maps, content: Maps, style: Maps, out: Tensor, pictures: Tensor) -> dict[str, float]:
    """The benchmark's own distances of drawn pictures, the means over pairs: see ``benchmarks/metrics.py``."""
    moments, grams = [], []
    for name in LAYERS:
        ours, theirs = drawn[name].float(), style[name].float()
        found, wanted = (_means_and_deviations(x) for x in (ours, theirs))
        moments.append((found - wanted).norm(dim=1) / wanted.norm(dim=1))
        a, b = gram(ours).flatten(1), gram(theirs).flatten(1)
        grams.append((a - b).norm(dim=1) / b.norm(dim=1))
    a, b = drawn["4_1"].float().flatten(1), content["4_1"].float().flatten(1)
    return {
        "moment": float(torch.stack(moments).mean()),
        "gram": float(torch.stack(grams).mean()),
        "content": float(((a - b).norm(dim=1) / b.norm(dim=1)).mean()),
        "ssim": float(structural_similarity(luma(out.clamp(0, 1)), luma(pictures))),
    }


def score(found: Mapping[str, float]) -> float:
    """One number to choose weights by, less is better: distances over what is demanded of them, the mean."""
    return (
        sum((found["moment"] / 0.15, found["gram"] / 0.24, found["content"] / 0.74, 0.54 / max(found["ssim"], 1e-3)))
        / 4
    )


def _means_and_deviations(x: Tensor) -> Tensor:
    mean, variance = mean_and_variance(x)
    return torch.cat([mean, variance.sqrt()], 1).flatten(1)


def _picked(x: Tensor, places: int) -> Tensor:
    """At most so many of the places of (B, C, N), any, the same of each picture of the batch."""
    if x.shape[2] <= places:
        return x
    return x[:, :, torch.randint(x.shape[2], (places,), device=x.device)]


def _sorted_distance(ours: Tensor, theirs: Tensor) -> Tensor:
    ours, theirs = ours.sort(2).values, theirs.sort(2).values
    return ((ours - theirs).square().mean(2) / theirs.var(2).add(EPSILON)).clamp_max(10).mean()


def _mean(parts: list[Tensor]) -> Tensor:
    return torch.stack(parts).mean()
