"""How a reference is looked at: several views, so that its whole area counts and a seed has something to vary."""

import math
from dataclasses import dataclass

import numpy as np

from restyle.engines.painter.predictor import Predictor
from restyle.images.palette import Palette, picture_palette
from restyle.images.pixels import Floats
from restyle.images.resize import resized

STEP = 32
"""Views are whole multiples of this many pixels wide and high."""
CROPS = 2
CROP_WEIGHT = 0.6
"""Of the style code; the rest are views of the whole reference."""


@dataclass(frozen=True, slots=True)
class StyleCodes:
    """One reference under one seed. All codes are float32 (100,).

    ``start`` is what the picture is first drawn with, ``target`` what the drawn picture should look like to the
    predictor, ``closer`` is added to the code where strokes are drawn at twice the base size or more. ``palette`` is
    the whole reference's.
    """

    start: Floats
    target: Floats
    closer: Floats
    palette: Palette


@dataclass(frozen=True, slots=True)
class WholeViews:
    """What a reference as a whole says, seen from afar (``target``) and as the mean of that and from near (``both``),
    float32 (100,) each; ``closer`` and ``palette`` as in :class:`StyleCodes`.
    """

    target: Floats
    both: Floats
    closer: Floats
    palette: Palette


def of_side(picture: Floats, side: float) -> Floats:
    """The picture resized to an area of ``side`` squared pixels, its shape kept."""
    height, width, _ = picture.shape
    scale = side / math.sqrt(height * width)
    # Few different sizes, since the network is prepared anew for each.
    return resized(picture, *(max(STEP, round(edge * scale / STEP) * STEP) for edge in (width, height)))


def whole_views(predictor: Predictor, style: Floats, base: float, *, closer: bool) -> WholeViews:
    """What ``style`` says for drawing at ``base`` pixels a side, whatever the seed; ``closer`` is zero unless asked."""
    near = of_side(style, base)
    far = of_side(style, 0.75 * base)
    target, whole = predictor(far), predictor(near)
    both: Floats = (target + whole) * np.float32(0.5)
    step = np.zeros_like(both)
    if closer:
        step = predictor(of_side(style, 1.5 * base)) - both
    return WholeViews(target, both, step, picture_palette(far))


def style_codes(predictor: Predictor, style: Floats, views: WholeViews, base: float, seed: int) -> StyleCodes:
    """The codes of ``style`` under ``seed``; ``views`` are those of it at ``base``."""
    random = np.random.default_rng(seed)
    weights = random.dirichlet(np.ones(CROPS)).astype(np.float32)
    crops: Floats = weights @ np.stack([predictor(_crop(style, 0.75 * base, random)) for _ in weights])
    shift: Floats = np.float32(CROP_WEIGHT) * (crops - views.both)
    return StyleCodes(views.both + shift, views.target + shift, views.closer, views.palette)


def _crop(style: Floats, side: float, random: np.random.Generator) -> Floats:
    """A random part of the reference, two fifths or more of each side, perhaps mirrored, at a random scale."""
    height, width, _ = style.shape
    part = random.uniform(0.4, 0.85)
    rows, columns = max(1, round(part * height)), max(1, round(part * width))
    top, left = random.integers(0, height - rows + 1), random.integers(0, width - columns + 1)
    cut = style[top : top + rows, left : left + columns]
    if random.random() < 0.5:
        cut = cut[:, ::-1]
    return of_side(np.ascontiguousarray(cut), side * random.choice([0.75, 0.95, 1.15]))
