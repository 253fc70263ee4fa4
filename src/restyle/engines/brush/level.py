"""One level of a picture: the whole photograph at one size, redrawn in pieces."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from restyle.engines.brush.attention import (
    FLOOR,
    Attention,
    Grouping,
    normalising,
    own_moments,
    statistics,
)
from restyle.engines.brush.decoder import DRESSED, Canvas, Decoder, Dressing
from restyle.engines.brush.encoder import CELL, STRIDE, Encoder, Seen
from restyle.engines.brush.feedback import Correction
from restyle.engines.brush.guided import calmed
from restyle.engines.brush.reference import Reference
from restyle.engines.brush.tiles import Tile, tiles
from restyle.engines.brush.weights import NOISES, part
from restyle.images.pixels import Floats

MARGIN = 6 * STRIDE
"""Pixels mirrored around a picture at least: relu4_1 sees 26 to each side, what it makes of borders is drawn up to 33
farther on, and with less than this a frame is seen.
"""

WHOLE = 6400
"""Places up to which a level is looked at in one piece, without margins: the base level is."""
HALF = 3300
"""Places of such a level that are drawn at once, or looked at for its own moments: both take more memory."""
MOST = 1300
"""Places of a larger one that are looked at or drawn at once."""

FINE = ("1_1", "2_1")
"""The first layers, whose local moments of the photograph itself are needed below strength 1."""

Matching = dict[str, tuple[Floats, Floats]]
"""Layer -> factor and offset, each (C,), for the means that places take; their deviations have the factor alone."""


@dataclass(frozen=True, slots=True)
class Networks:
    """The brush's networks, ready to run. ``eye`` sees what is compared; ``looking`` sees local moments as well.

    ``layers``: the channels of each layer. ``matching``: how far its channels are brought nearer to the reference.
    """

    eye: Encoder
    looking: Encoder
    attention: Attention
    grouping: Grouping
    decoder: Decoder
    dressings: dict[str, Dressing]
    layers: Mapping[str, int]
    matching: Mapping[str, Floats]


@dataclass(frozen=True, slots=True)
class Part:
    """One reference's part in a level: ``share`` is float32 (rows, columns) of places, 0..1; None is everywhere."""

    reference: Reference
    share: Floats | None = None


class Level:
    """A photograph, float32 (H, W, 3), 0..1, of any size, as the networks see it: framed by mirrored pixels."""

    def __init__(
        self,
        networks: Networks,
        photograph: Floats,
        step: Callable[[], None],
        *,
        own: bool = False,
        base: bool = True,
        margin: int = MARGIN,
    ) -> None:
        """``own`` is needed to draw below strength 1; ``step`` is called before every piece of work. Of what is no
        ``base`` level only the fine is used.
        """
        self._networks, self._step, self._base, self._margin = networks, step, base, margin
        self.height, self.width = photograph.shape[:2]
        bottom, right = (margin + -edge % STRIDE for edge in (self.height, self.width))
        self._frame = ((margin, bottom), (margin, right), (0, 0))
        self._framed = framed = np.pad(photograph, self._frame, "reflect")
        self.rows, self.columns = framed.shape[0] // STRIDE, framed.shape[1] // STRIDE
        self._looks, self._tiles = _cut_up(self.rows, self.columns, own=own)
        self._layers = networks.layers
        seen, self._own = self._look(framed, own=own)
        colours = framed.reshape(self.rows, STRIDE, self.columns, STRIDE, 3).mean((1, 3))
        query = networks.attention.query(seen.compared).reshape(self.rows, self.columns, -1)
        self._query = networks.grouping(query, np.ascontiguousarray(colours))
        self._four, self._three = np.ascontiguousarray(seen.four), seen.three
        two = _statistics_of(seen.compared[:, : self._layers["2_1"]], seen.two_squares)
        del seen  # what only places are compared by is done with
        pixels = statistics(np.moveaxis(framed, 2, 0)[None])
        found = (statistics(self._four), statistics(self._three), two, pixels)
        self._normal = [normalising(*each) for each in found]
        self._kept: dict[int, tuple[Floats, Floats]] = {}

    def matching(self, reference: Reference, correction: Correction | None = None) -> Matching:
        """What brings the dressed layers nearer to the reference's means and deviations over the whole picture, and all
        layers by ``correction`` further.

        Attention may take a sky from one place and nothing from all others. Huang and Belongie, Arbitrary Style
        Transfer in Real-time with Adaptive Instance Normalization (ICCV 2017).
        """
        means, deviations = self._taken(reference, Tile(0, self.rows, 0, self.columns, 0, 0, 0, 0))
        if self.rows * self.columns <= WHOLE:
            self._kept[id(reference)] = means, deviations  # for :meth:`drawn`, which needs the same
        found = {}
        for layer, seen, normal in zip(DRESSED, (self._four, self._three), self._normal[:2], strict=True):
            mean, variance = self._networks.dressings[layer](seen, normal, means, deviations)
            wanted_mean, wanted_deviation = reference.moments[layer]
            amount = self._networks.matching[layer]
            slope = wanted_deviation / np.sqrt(variance + np.float32(FLOOR))
            factor, offset = 1 - amount + amount * slope, amount * (wanted_mean - mean * slope)
            found[layer] = _corrected(factor, offset, mean, correction[layer]) if correction else (factor, offset)
        if correction:
            for layer in FINE:
                mean = means[0, part(self._layers, layer)].mean((1, 2))
                found[layer] = _corrected(np.ones_like(mean), np.zeros_like(mean), mean, correction[layer])
        return found

    def drawn(
        self, parts: Sequence[Part], matchings: Sequence[Matching], noise: Sequence[Floats], strength: float
    ) -> Floats:
        """The level redrawn, float32 (H, W, 3), about 0..1. At strength 0 what the networks make of the photograph.

        ``noise``: :meth:`noise`; ``matchings``: one for each of ``parts``.
        """
        result = np.empty((self.rows * STRIDE, self.columns * STRIDE, 3), np.float32)
        kept, self._kept = self._kept, {}
        for tile in self._tiles:
            self._step()
            rows, cols = tile.outer()
            means, deviations = self._moments(parts, matchings, tile, strength, kept)
            high, wide = tile.outer(CELL["3_1"])
            canvas = Canvas(
                np.ascontiguousarray(self._framed[tile.outer(STRIDE)]),
                np.ascontiguousarray(self._four[:, :, rows, cols]),
                np.ascontiguousarray(self._three[:, :, high, wide]),
                means,
                deviations,
                [_cut(plane, tile, STRIDE // step) for plane, step in zip(noise, NOISES.values(), strict=True)],
            )
            piece = self._networks.decoder(canvas, self._normal, strength)
            result[tile.inner(STRIDE)] = piece[tile.within(STRIDE)]
        # in whole places; the frame's own borders, which are drawn wrongly, must have no part in it
        inside = tuple(slice(self._margin, self._margin + edge + -edge % STRIDE) for edge in (self.height, self.width))
        picture = result[inside]
        return (calmed(picture, self._framed[inside]) if self._base else picture)[: self.height, : self.width]

    def noise(self, random: np.random.Generator) -> list[Floats]:
        """Normal noise for the whole level, a plane (1, 1, rows, columns) for each of the decoder's noises."""
        sizes = [(self.rows * STRIDE // step, self.columns * STRIDE // step) for step in NOISES.values()]
        return [random.standard_normal((1, 1, *size), np.float32) for size in sizes]

    def share_of(self, share: Floats) -> Floats:
        """A share float32 (H, W, 1), 0..1, as one value for each place: the mean over it."""
        framed = np.pad(share, self._frame, "edge")[..., 0]
        places: Floats = framed.reshape(self.rows, STRIDE, self.columns, STRIDE).mean((1, 3))
        return places

    def _look(self, framed: Floats, *, own: bool) -> tuple[Seen, tuple[Floats, Floats] | None]:
        """All that is seen, put together from pieces; with ``own`` the photograph's own moments of :data:`FINE` too."""
        eye = self._networks.looking if own else self._networks.eye
        whole: dict[str, Floats] = {}
        for tile in self._looks:
            self._step()
            piece = eye(framed[tile.outer(STRIDE)])
            found = {"compared": piece.compared, "three": piece.three, "two_squares": piece.two_squares}
            if own:
                fine = slice(0, part(self._layers, FINE[-1]).stop)
                shape = (1, -1, *piece.compared.shape[2:])
                means, deviations = (x[fine].reshape(shape) for x in own_moments(piece))
                found |= {"means": means, "deviations": deviations}
            if len(self._looks) == 1:
                whole = found
                break
            for name, values in found.items():
                step = CELL["3_1"] if name == "three" else 1
                if name not in whole:
                    whole[name] = np.empty((1, values.shape[1], self.rows * step, self.columns * step), np.float32)
                whole[name][(0, slice(None), *tile.inner(step))] = values[(0, slice(None), *tile.within(step))]
        seen = Seen(self._layers, whole["compared"], whole["three"], whole["two_squares"])
        return seen, (whole["means"], whole["deviations"]) if own else None

    def _taken(
        self, reference: Reference, tile: Tile, kept: Mapping[int, tuple[Floats, Floats]] | None = None
    ) -> tuple[Floats, Floats]:
        rows, cols = tile.outer()
        if kept and id(reference) in kept:
            means, deviations = (x[:, :, rows, cols].copy() for x in kept[id(reference)])
            return means, deviations
        query = self._query[rows, cols]
        height, width = query.shape[:2]
        flat = np.ascontiguousarray(query.reshape(height * width, -1))
        means, deviations = self._networks.attention(flat, reference.key, reference.values)
        shape = (1, -1, height, width)
        return means.reshape(shape), deviations.reshape(shape)

    def _moments(
        self,
        parts: Sequence[Part],
        matchings: Sequence[Matching],
        tile: Tile,
        strength: float,
        kept: Mapping[int, tuple[Floats, Floats]],
    ) -> tuple[Floats, Floats]:
        """What the places of a tile have taken, of all references together, (1, channels, h, w) each; ``kept`` is what
        those of the whole level have, by references.
        """
        rows, cols = tile.outer()
        own = None if self._own is None else tuple(x[:, :, rows, cols] for x in self._own)
        if strength == 0:
            assert own is not None
            # Nothing is dressed then, so of the other layers nothing is asked.
            others = [(0, 0), (0, sum(self._layers.values()) - own[0].shape[1]), (0, 0), (0, 0)]
            means, deviations = (np.pad(x, others) for x in own)
            return means, deviations
        total: tuple[Floats, Floats] | None = None
        for each, matching in zip(parts, matchings, strict=True):
            taken = self._taken(each.reference, tile, kept)
            for layer, (factor, offset) in matching.items():
                where = (0, part(self._layers, layer))
                taken[0][where] = taken[0][where] * factor[:, None, None] + offset[:, None, None]
                taken[1][where] *= factor[:, None, None]
            if each.share is not None:
                taken = (taken[0] * each.share[rows, cols], taken[1] * each.share[rows, cols])
            total = taken if total is None else (total[0] + taken[0], total[1] + taken[1])
        assert total is not None
        if own is not None:
            # relu4_1 and 3_1 are led back to the photograph's in the decoder, which knows them.
            for ours, theirs in zip(own, total, strict=True):
                fine = theirs[:, : ours.shape[1]]
                fine[...] = ours + strength * (fine - ours)
        return total


def _corrected(factor: Floats, offset: Floats, mean: Floats, by: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    """Both, so that what had that mean gets the correction after them."""
    slope, shift = by
    reached = factor * mean + offset
    return slope * factor, slope * offset + (1 - slope) * reached + shift


def pieces(height: int, width: int, *, own: bool = False, margin: int = MARGIN) -> tuple[int, int]:
    """In how many pieces a level of that size is looked at, and in how many it is drawn."""
    rows, columns = ((2 * margin + edge + -edge % STRIDE) // STRIDE for edge in (height, width))
    looks, draws = _cut_up(rows, columns, own=own)
    return len(looks), len(draws)


def _cut_up(rows: int, columns: int, *, own: bool) -> tuple[list[Tile], list[Tile]]:
    """The pieces in which a level of so many places is looked at, and in which it is drawn."""
    small = rows * columns <= WHOLE
    draws = tiles(rows, columns, HALF if small else MOST)
    return tiles(rows, columns, WHOLE) if small and not own else draws, draws


def _statistics_of(means: Floats, squares: Floats) -> tuple[Floats, Floats]:
    """Channel means and variances, each (C,), of activations whose means and squares over places (1, C, h, w) are."""
    mean, square = (x.mean((0, 2, 3)) for x in (means, squares))
    return mean, np.maximum(square - mean * mean, 0)


def _cut(plane: Floats, tile: Tile, step: int) -> Floats:
    return np.ascontiguousarray(plane[(slice(None), slice(None), *tile.outer(step))])
