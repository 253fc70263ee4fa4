"""What is kept of the photograph: its places as the reference would have them, each apart from the others as before.

The photograph's features are moved as a whole into the distribution of the reference's, by maps that are linear and so
keep apart what was apart. Matched as they are, whole regions lie nearest to one and the same flat area.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from restyle.engines.neighbour.levels import Tile
from restyle.engines.neighbour.reference import MATCHED, Reference
from restyle.engines.neighbour.tiling import cells, crop, inner, inner_rows
from restyle.engines.neighbour.vgg import VGG16, Tensor
from restyle.images.palette import transport

CONTENT, CONTENT_CELL = "4_1", 8
"""The layer whose activations are kept in place, and how many pixels lie between them."""
RIDGE = 0.05
"""Of the reference's mean variance, added to both covariances: what hardly varies in a photograph says little."""
LARGEST_GAIN = 4.0
"""A channel that hardly occurs in the photograph is not blown up beyond this."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What the network sees in a tile of the photograph.

    ``keys`` (N, K) are those of its inner part; ``content`` (1, channels, h, w) its activations of :data:`CONTENT`,
    the margin's with them.
    """

    tile: Tile
    keys: Tensor
    content: Tensor


@dataclass(frozen=True, slots=True)
class Subject:
    """One photograph under one reference at one level.

    ``mean`` (K,) and ``mapping`` (K, K): the photograph's keys less ``mean``, times ``mapping``, have the mean and
    covariance of the reference's. ``gain`` and ``offset`` (1, channels, 1, 1) give its activations of :data:`CONTENT`
    the reference's channel means and deviations.
    """

    mean: Tensor
    mapping: Tensor
    gain: Tensor
    offset: Tensor

    def queries(self, keys: Tensor) -> Tensor:
        """The photograph's ``keys`` (N, K), as they are matched with the reference's."""
        return (keys - self.mean) @ self.mapping

    def kept(self, activations: Tensor, strength: float) -> Tensor:
        """What the network should see in :data:`CONTENT`: the photograph's at strength 0, at 1 under the reference's.

        Huang and Belongie, Arbitrary Style Transfer in Real-time with Adaptive Instance Normalization (ICCV 2017).
        """
        moved = (activations * self.gain + self.offset).relu()
        return activations + strength * (moved - activations)


def seen(network: VGG16, photograph: Tensor, reference: Reference, tile: Tile) -> Sight:
    """Look at a tile of the photograph, float32 (1, 3, H, W), 0..1."""
    with torch.no_grad():
        maps = network(crop(photograph, tile), {*MATCHED, CONTENT})
        return Sight(tile, inner(reference.keys_of(maps, *cells(tile)), tile), maps[CONTENT])


def subject_of(sights: Sequence[Sight], reference: Reference) -> Subject:
    """Of a photograph that is seen in these tiles, the whole of it."""
    mean, covariance = _mean_and_products([sight.keys for sight in sights], lambda keys: keys.T @ keys)
    have = (covariance - torch.outer(mean, mean)).cpu().double()
    want = reference.covariance
    ridge = (RIDGE * want.diagonal().mean() + 1e-6) * torch.eye(len(want)).double()
    mapping = torch.from_numpy(transport((have + ridge).numpy(), (want + ridge).numpy())).to(mean)

    places = [inner_rows(sight.content, sight.tile, CONTENT_CELL) for sight in sights]
    average, squares = _mean_and_products(places, lambda values: values.square().sum(0))
    deviation = (squares - average.square()).clamp(min=0).sqrt()
    wanted_average, wanted_deviation = reference.moments[CONTENT]
    gain = (wanted_deviation / (deviation + 1e-3)).clamp(max=LARGEST_GAIN)
    offset = wanted_average - gain * average
    return Subject(mean, mapping, gain.view(1, -1, 1, 1), offset.view(1, -1, 1, 1))


def _mean_and_products(parts: Sequence[Tensor], products: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """The mean of the rows of all parts, and of their products; part by part, for memory's sake."""
    count = sum(len(part) for part in parts)
    total, multiplied = parts[0].sum(0), products(parts[0])
    for part in parts[1:]:
        total, multiplied = total + part.sum(0), multiplied + products(part)
    return total / count, multiplied / count
