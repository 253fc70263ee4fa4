"""One level: match, then move the pixels until the network sees what was matched."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch.autograd import backward

from restyle.engines.base import Report
from restyle.engines.memory import give_back
from restyle.engines.neighbour import terms
from restyle.engines.neighbour.levels import Level, Tile, tiles
from restyle.engines.neighbour.outline import Outline, outline_of
from restyle.engines.neighbour.pyramid import analysed, composed
from restyle.engines.neighbour.reference import MATCHED, MEASURED, Reference
from restyle.engines.neighbour.subject import CONTENT, Sight, Subject, seen, subject_of
from restyle.engines.neighbour.tiling import cells, crop, inner
from restyle.engines.neighbour.vgg import VGG16, Tensor, on_grid

RATE = 0.01
"""Pixels, 0..1, that Adam moves each band by at first; a tenth of it at the end."""
BANDS = 5
MOMENTS_WEIGHT = 5.0
COLOURS_WEIGHT = 0.5
ROUGHNESS_WEIGHT = 4.0
OUTSIDE_WEIGHT = 10.0
CONTENT_WEIGHT, STRUCTURE_WEIGHT = 0.5, 0.3
"""At strength 1, of what keeps the photograph."""
MOST_KEPT = 6.0
"""How many times those weights count at strength 0; between 0 and 1 it goes with the square of 1 - strength."""
KEPT_PASSES = 8
"""Free memory is given back every so many passes of the network: kept longer, it breaks into pieces."""
LEAST_ALPHA = 0.5
"""How much the photograph counts beside what is drawn so far when places are matched, at strength 1."""


@dataclass(frozen=True, slots=True)
class Goal:
    """``photograph``: float32 (1, 3, H, W), the raw image at the level's size. ``first``: nothing is drawn yet."""

    photograph: Tensor
    reference: Reference
    strength: float
    first: bool

    @property
    def alpha(self) -> float:
        """The paper's alpha, 0..1: the photograph's part in the features that are matched."""
        return 1.0 if self.first else LEAST_ALPHA + (1 - LEAST_ALPHA) * (1 - self.strength)

    @property
    def kept(self) -> float:
        """What the weights of the terms that keep the photograph are multiplied by."""
        return 1 + (MOST_KEPT - 1) * (1 - self.strength) ** 2


@dataclass(frozen=True, slots=True)
class _Piece:
    """A tile, the indices of the reference's columns its cells were matched with, and what is kept of the photograph.

    Indices and not the columns themselves, which for all tiles of a large picture would take a gigabyte.
    """

    tile: Tile
    matched: Tensor
    content: Tensor


def optimised(
    network: VGG16, start: Tensor, goal: Goal, level: Level, generator: torch.Generator, report: Report
) -> Tensor:
    """``start`` after the level's updates; ``report`` is called with the fraction done before every piece of work."""
    cuts = tiles(level)
    total = (1 + level.updates) * len(cuts)
    done = 0

    def tell() -> None:
        nonlocal done
        if done % KEPT_PASSES == 0:
            give_back()
        report(done / total)
        done += 1

    sights = [seen(network, goal.photograph, goal.reference, tile) for tile in cuts]
    subject = subject_of(sights, goal.reference)
    pieces = [_matched(network, start, goal, sight, subject, tell) for sight in sights]
    del sights
    outline = outline_of(goal.photograph)
    bands = [band.clone().requires_grad_(True) for band in analysed(start, BANDS)]
    adam = torch.optim.Adam(bands, lr=RATE, betas=(0.9, 0.99))
    for update in range(level.updates):
        adam.param_groups[0]["lr"] = RATE * (1 - 0.9 * update / level.updates)
        adam.zero_grad(set_to_none=True)
        picture = composed(bands)
        gradient = _gradient(network, picture.detach(), goal, outline, pieces, generator, tell)
        backward(picture, gradient)
        adam.step()
    with torch.no_grad():
        return composed(bands)


def _gradient(
    network: VGG16,
    picture: Tensor,
    goal: Goal,
    outline: Outline,
    pieces: Sequence[_Piece],
    generator: torch.Generator,
    tell: Callable[[], None],
) -> Tensor:
    """The gradient of the whole sum, one tile after the other, so that memory is that of one tile."""
    leaf = picture.requires_grad_(True)
    backward(ROUGHNESS_WEIGHT * terms.roughness(leaf, outline.flatness) + OUTSIDE_WEIGHT * terms.outside(leaf))
    backward(STRUCTURE_WEIGHT * goal.kept * terms.structure(leaf, outline.octaves))
    if len(pieces) == 1:
        backward(COLOURS_WEIGHT * terms.colours(leaf, goal.reference, generator))
    total = sum(len(piece.matched) for piece in pieces)
    for piece in pieces:
        tell()
        maps = network(crop(leaf, piece.tile), {*MATCHED, *(MEASURED if len(pieces) == 1 else ()), CONTENT})
        found = [inner(layer, piece.tile) for layer in on_grid(maps, MATCHED, *cells(piece.tile))]
        part = len(piece.matched) / total
        wanted = goal.reference.activations(piece.matched)
        loss = part * terms.matching(found, wanted, goal.reference.scales) / len(MATCHED)
        if len(pieces) == 1:
            loss = loss + MOMENTS_WEIGHT * terms.moments(maps, goal.reference.moments)
        loss = loss + part * CONTENT_WEIGHT * goal.kept * terms.content(maps[CONTENT], piece.content)
        backward(loss)
    assert leaf.grad is not None
    return leaf.grad


def _matched(
    network: VGG16, start: Tensor, goal: Goal, sight: Sight, subject: Subject, tell: Callable[[], None]
) -> _Piece:
    tell()
    with torch.no_grad():
        queries, tile = subject.queries(sight.keys), sight.tile
        if goal.alpha < 1:
            drawn = goal.reference.keys_of(network(crop(start, tile), MATCHED), *cells(tile))
            queries = goal.alpha * queries + (1 - goal.alpha) * inner(drawn, tile)
        return _Piece(tile, goal.reference.nearest(queries), subject.kept(sight.content, goal.strength))
