"""What the brush keeps of one reference, seen whole at one size."""

import math
from dataclasses import dataclass

import numpy as np

from restyle.engines.brush.attention import EPSILON, Attention
from restyle.engines.brush.encoder import STRIDE, Encoder, Seen
from restyle.engines.brush.patches import Distribution, distribution
from restyle.engines.brush.weights import LAYERS, part
from restyle.images.palette import Palette, picture_palette
from restyle.images.pixels import Floats
from restyle.images.resize import resized

LEAST_PLACES = 4

Moments = dict[str, tuple[Floats, Floats]]
"""Layer -> channel means and deviations over a whole picture, each (C,)."""


@dataclass(frozen=True, slots=True)
class Reference:
    """``key`` (places, length) and ``values`` (2 channels, places) are what attention reads: means, then squares.

    ``moments`` are those of all layers, ``colours`` and ``patches`` those of the whole.
    """

    key: Floats
    values: Floats
    moments: Moments
    colours: Palette
    patches: Distribution


def view(picture: Floats, side: float, *, mirrored: bool) -> Floats:
    """The whole picture at an area of about ``side`` squared pixels, its shape kept, in whole places."""
    height, width, _ = picture.shape
    scale = side / math.sqrt(height * width) / STRIDE
    columns, rows = (max(LEAST_PLACES, round(edge * scale)) for edge in (width, height))
    seen = np.clip(resized(picture, columns * STRIDE, rows * STRIDE), 0, 1)
    return np.ascontiguousarray(seen[:, ::-1] if mirrored else seen)


def look(eye: Encoder, attention: Attention, picture: Floats) -> Reference:
    """Look at a :func:`view`; ``eye`` makes local moments."""
    seen = eye(picture)
    means, squares = _of_places(seen)
    key = attention.key(seen.compared)
    values = np.concatenate([means, squares])
    return Reference(key, values, moments_of(seen), picture_palette(picture), distribution(picture))


def moments_of(seen: Seen) -> Moments:
    """Of all layers of a picture whose local moments were seen, too."""
    means, squares = _of_places(seen)
    found = {}
    for layer in LAYERS:
        # Every place covers as many of a layer's activations, so their means are those of the whole.
        mean, square = (x[part(seen.layers, layer)].mean(1) for x in (means, squares))
        found[layer] = (mean, np.sqrt(np.maximum(square - mean * mean, 0) + np.float32(EPSILON)))
    return found


def _of_places(seen: Seen) -> tuple[Floats, Floats]:
    """Means and squares of all layers, each (channels, places)."""
    assert seen.means is not None
    assert seen.squares is not None
    means, squares = (x.reshape(x.shape[1], -1) for x in (seen.means, seen.squares))
    return means, squares
