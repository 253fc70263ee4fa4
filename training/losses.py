"""What is asked of a drawn picture, and how it is judged on pictures that were held back."""

from collections.abc import Mapping

import torch
import torch.nn.functional as nn
from torch import Tensor

from training.attention import EPSILON, attention, columns, dressed, gathered, normal
from training.encoder import LAYERS, Encoder, Maps

SLICES = 96
PLACES = 2048
"""Activations of each picture that are compared along each direction."""
OCTAVES = 3
"""At which 5x5 patches of colours are compared."""
TARGET_SHARPNESS = 16.0
"""Of the attention that makes the local targets, which is not trained."""
LUMA = (0.299, 0.587, 0.114)

Terms = dict[str, Tensor]


def terms(encoder: Encoder, out: Tensor, pictures: Tensor, style: Tensor, seen: tuple[Maps, Maps], alike: int) -> Terms:
    """Every term, not weighted. ``pictures`` and ``style`` are (B, 3, H, W), 0..1; ``seen`` is what was seen in them.

    Of the last ``alike`` pairs the photograph is its own reference: they must come back as they are.
    """
    content_maps, style_maps = seen
    drawn = encoder(out)
    with torch.no_grad():
        weights = attention(columns(content_maps), columns(style_maps), TARGET_SHARPNESS)
        moments = gathered(weights, style_maps, (content_maps["4_1"].shape[2], content_maps["4_1"].shape[3]))
        targets = {name: dressed(content_maps[name], moments[name], name) for name in ("3_1", "4_1")}
    return {
        "content": normalised_content(drawn, content_maps),
        "structure": 1 - structural_similarity(luma(out), luma(pictures)),
        "moments": moment_loss(drawn, style_maps),
        "gram": gram_loss(drawn, style_maps),
        "sliced": _mean([sliced_loss(drawn[name], style_maps[name]) for name in ("2_1", "3_1", "4_1")]),
        "patches": patch_loss(out, style),
        "local": _mean([(drawn[n].float() - t).square().mean() / t.var() for n, t in targets.items()]),
        "identity": (out[-alike:] - pictures[-alike:]).abs().mean(),
    }


def normalised_content(drawn: Maps, content: Maps) -> Tensor:
    """Squared difference of normalised relu4_1: what is where, whatever its contrast."""
    return (normal(drawn["4_1"]) - normal(content["4_1"])).square().mean()


def moment_loss(drawn: Maps, style: Maps) -> Tensor:
    """AdaIN's style loss (Huang and Belongie, ICCV 2017), relative, so that layers count alike."""
    parts = []
    for name in LAYERS:
        ours, theirs = drawn[name].float(), style[name].float()
        for a, b in ((ours.mean((2, 3)), theirs.mean((2, 3))), (ours.std((2, 3)), theirs.std((2, 3)))):
            parts.append(((a - b).square().sum(1) / b.square().sum(1).add(EPSILON)).mean())
    return _mean(parts)


def gram(x: Tensor) -> Tensor:
    """(B, C, C): products of channels, the mean over the picture."""
    flat = x.float().flatten(2)
    return flat @ flat.transpose(1, 2) / flat.shape[2]


def gram_loss(drawn: Maps, style: Maps) -> Tensor:
    """Gatys, Ecker, Bethge, Image Style Transfer Using Convolutional Neural Networks (CVPR 2016), relative."""
    parts = []
    for name in LAYERS:
        ours, theirs = gram(drawn[name]), gram(style[name])
        parts.append(((ours - theirs).square().sum((1, 2)) / theirs.square().sum((1, 2)).add(EPSILON)).mean())
    return _mean(parts)


def sliced_loss(drawn: Tensor, style: Tensor) -> Tensor:
    """Squared distance of sorted projections on random directions, relative to the projections' variance.

    Heitz, Vanhoey, Chambon, Belcour, A Sliced Wasserstein Loss for Neural Texture Synthesis (CVPR 2021).
    """
    ours, theirs = drawn.float().flatten(2), style.float().flatten(2)
    directions = nn.normalize(torch.randn(SLICES, ours.shape[1], device=ours.device), dim=1)
    return _sorted_distance(*(directions @ _picked(x) for x in (ours, theirs)))


def patch_loss(out: Tensor, style: Tensor) -> Tensor:
    """The same of 5x5 patches of colours, the mean over octaves. No network has a part in it."""
    parts = []
    for octave in range(OCTAVES):
        if octave:
            out, style = (nn.avg_pool2d(x, 2) for x in (out, style))
        directions = nn.normalize(torch.randn(SLICES, 75, device=out.device), dim=1).view(SLICES, 3, 5, 5)
        projected = [nn.conv2d(x, directions, stride=2 if octave == 0 else 1).flatten(2) for x in (out, style)]
        parts.append(_sorted_distance(*map(_picked, projected)))
    return _mean(parts)


def structural_similarity(first: Tensor, second: Tensor) -> Tensor:
    """Wang, Bovik, Sheikh, Simoncelli, Image Quality Assessment (IEEE TIP 2004), of planes (B, 1, H, W) of 0..1.

    Windows are 7x7 means instead of Gaussians.
    """
    a, b = nn.avg_pool2d(first, 7, 1), nn.avg_pool2d(second, 7, 1)
    squares = (nn.avg_pool2d(x * y, 7, 1) for x, y in ((first, first), (second, second), (first, second)))
    aa, bb, ab = squares
    c1, c2 = 0.01**2, 0.03**2
    likeness = (2 * a * b + c1) * (2 * (ab - a * b) + c2)
    return (likeness / ((a * a + b * b + c1) * (aa - a * a + bb - b * b + c2))).mean()


def luma(pictures: Tensor) -> Tensor:
    """(B, 3, H, W) to (B, 1, H, W): ITU-R BT.601."""
    return (pictures * pictures.new_tensor(LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)


@torch.no_grad()
def judged(drawn: Maps, content: Maps, style: Maps, out: Tensor, pictures: Tensor) -> dict[str, float]:
    """The benchmark's own distances of drawn pictures, the means over pairs: see ``benchmarks/metrics.py``."""
    moments, grams = [], []
    for name in LAYERS:
        ours, theirs = drawn[name].float(), style[name].float()
        found, wanted = (torch.cat([x.mean((2, 3)), x.std((2, 3), unbiased=False)], 1) for x in (ours, theirs))
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


def _picked(x: Tensor) -> Tensor:
    """At most :data:`PLACES` of the places of (B, C, N), any, the same of each picture of the batch."""
    if x.shape[2] <= PLACES:
        return x
    return x[:, :, torch.randint(x.shape[2], (PLACES,), device=x.device)]


def _sorted_distance(ours: Tensor, theirs: Tensor) -> Tensor:
    ours, theirs = ours.sort(2).values, theirs.sort(2).values
    return ((ours - theirs).square().mean(2) / theirs.var(2).add(EPSILON)).clamp_max(10).mean()


def _mean(parts: list[Tensor]) -> Tensor:
    return torch.stack(parts).mean()
