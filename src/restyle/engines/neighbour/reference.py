"""What the network sees in a reference at one size: the features to be matched, and how they are distributed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as nn

from restyle.engines.neighbour.vgg import VGG16, Maps, Tensor, on_grid, rows

MATCHED = ("1_2", "2_2", "3_1", "3_3")
"""The layers of a hypercolumn, taken together on a grid of :data:`CELL` pixels: 64 + 128 + 256 + 256 channels."""
MEASURED = ("1_2", "2_2", "3_3", "4_1")
"""The layers whose channel means and deviations are drawn towards the reference's."""
CELL = 4
KEY_LENGTH = 128
"""Hypercolumns are compared by their strongest principal components, so many of them."""
MOST_COLUMNS = 32768
"""Hypercolumns of a reference at most; of larger ones every n-th cell is taken."""
_BLOCK = 4096


@dataclass(frozen=True, slots=True)
class Reference:
    """One reference at one size. N is at most :data:`MOST_COLUMNS`.

    ``columns`` float32 (N, 704): hypercolumns less ``means``, times ``scales``, so that every layer counts alike.
    Their projections by ``basis``, of K <= KEY_LENGTH components, are called keys: ``keys`` float32 (N, K) has them at
    length 1, ``covariance`` float64 (K, K) is theirs before. ``moments``: layer -> channel means and deviations.
    ``picture``: float32 (1, 3, H, W), what they are taken from.
    """

    columns: Tensor
    keys: Tensor
    covariance: Tensor
    basis: Tensor
    means: Sequence[Tensor]
    scales: Sequence[float]
    moments: dict[str, tuple[Tensor, Tensor]]
    picture: Tensor

    def keys_of(self, maps: Maps, height: int, width: int) -> Tensor:
        """The keys of another picture on a grid, (height * width, K), as long as they are."""
        centred = zip(on_grid(maps, MATCHED, height, width), self.means, self.scales, strict=True)
        return torch.cat([(part - mean) * scale for part, mean, scale in centred], dim=1) @ self.basis

    def activations(self, indices: Tensor) -> list[Tensor]:
        """Of each layer the activations of the columns with these ``indices``, as the network gave them."""
        parts = torch.split(self.columns[indices], [len(mean) for mean in self.means], dim=1)
        return [part / scale + mean for part, scale, mean in zip(parts, self.scales, self.means, strict=True)]

    def nearest(self, queries: Tensor) -> Tensor:
        """For each of ``queries`` (N, K) the index of the reference's column whose key is at the least angle.

        In blocks, so memory does not grow with the product of the two numbers.
        """
        # The length of the query does not change which key is nearest.
        return torch.cat([(block @ self.keys.T).argmax(1) for block in torch.split(queries, _BLOCK)])


def look(network: VGG16, views: Sequence[Tensor]) -> Reference:
    """Look at one reference in several ``views``, float32 (1, 3, H, W), 0..1; the first counts for the moments."""
    parts: list[list[Tensor]] = []
    moments: dict[str, tuple[Tensor, Tensor]] = {}
    with torch.no_grad():
        for number, view in enumerate(views):
            maps = network(view, {*MATCHED, *MEASURED})
            if number == 0:
                moments = {layer: moments_of(maps[layer]) for layer in MEASURED}
            height, width = grid(view)
            every = math.ceil(height * width * len(views) / MOST_COLUMNS)
            parts.append([part[::every] for part in on_grid(maps, MATCHED, height, width)])
            del maps
        layers = [torch.cat([part[i] for part in parts]) for i in range(len(MATCHED))]
        means = [layer.mean(0) for layer in layers]
        spreads = [(layer - mean).square().sum(1).mean().sqrt() for layer, mean in zip(layers, means, strict=True)]
        scales = [1 / max(float(spread), 1e-3) for spread in spreads]
        columns = torch.cat([(x - m) * s for x, m, s in zip(layers, means, scales, strict=True)], dim=1)
        # In double precision and with a floor, since a flat reference has one column and nothing else.
        covariance = (columns.T @ columns / len(columns)).cpu().double() + 1e-6 * torch.eye(columns.shape[1]).double()
        variances, directions = torch.linalg.eigh(covariance)
        basis = directions[:, -KEY_LENGTH:].to(columns).contiguous()
        covariance = variances[-KEY_LENGTH:].diag()
        keys = nn.normalize(columns @ basis, dim=1)
    return Reference(columns, keys, covariance, basis, means, scales, moments, views[0])


def moments_of(activations: Tensor) -> tuple[Tensor, Tensor]:
    """Channel means and standard deviations of (1, channels, h, w)."""
    mean, deviation = _Moments.apply(activations)  # type: ignore[no-untyped-call]
    return mean, deviation


class _Moments(torch.autograd.Function):
    """With a gradient in one pass over the activations, which are what takes the most memory and time."""

    @staticmethod
    def forward(ctx: Any, activations: Tensor) -> tuple[Tensor, Tensor]:
        values = rows(activations)
        mean = values.mean(0)
        # Not zero, where a gradient would have no bound.
        deviation = ((values - mean).square_().mean(0) + 1e-6).sqrt_()
        ctx.save_for_backward(activations, mean, deviation)
        return mean, deviation

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        activations, mean, deviation = ctx.saved_tensors
        for_mean, for_deviation = gradients
        count = activations.shape[2] * activations.shape[3]
        slope = for_deviation / (count * deviation)
        offset = for_mean / count - slope * mean
        return torch.addcmul(offset.view(1, -1, 1, 1), activations, slope.view(1, -1, 1, 1))


def grid(picture: Tensor) -> tuple[int, int]:
    """Cells of hypercolumns down and across a picture."""
    return math.ceil(picture.shape[2] / CELL), math.ceil(picture.shape[3] / CELL)
