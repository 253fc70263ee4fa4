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
class Crop:
    """Rows and columns of the reference, perhaps mirrored, and the ``size`` (width, height) they are looked at."""

    rows: tuple[int, int]
    columns: tuple[int, int]
    mirrored: bool
    size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Views:
    """What is looked at: sizes (width, height) of the whole reference, ``closer`` or none, and weighted crops of it."""

    near: tuple[int, int]
    far: tuple[int, int]
    closer: tuple[int, int] | None
    crops: tuple[Crop, ...]
    weights: tuple[float, ...]

    @classmethod
    def of(cls, height: int, width: int, base: float, seed: int, *, closer: bool) -> "Views":
        """Those of a reference of that size, for drawing at ``base`` pixels a side."""
        random = np.random.default_rng(seed)
        weights = tuple(random.dirichlet(np.ones(CROPS)).tolist())
        return cls(
            near=_size(height, width, base),
            far=_size(height, width, 0.75 * base),
            closer=_size(height, width, 1.5 * base) if closer else None,
            crops=tuple(_crop(height, width, 0.75 * base, random) for _ in weights),
            weights=weights,
        )


def of_side(picture: Floats, side: float) -> Floats:
    """The picture resized to an area of ``side`` squared pixels, its shape kept."""
    height, width, _ = picture.shape
    return resized(picture, *_size(height, width, side))


def style_codes(predictor: Predictor, style: Floats, views: Views) -> StyleCodes:
    """The codes of ``style``, looked at in these views; ``closer`` is zero where there is no such view."""
    far = resized(style, *views.far)
    target, whole = predictor(far), predictor(resized(style, *views.near))
    both: Floats = (target + whole) * np.float32(0.5)
    seen = np.stack([predictor(_cut(style, crop)) for crop in views.crops])
    crops: Floats = np.array(views.weights, np.float32) @ seen
    shift: Floats = np.float32(CROP_WEIGHT) * (crops - both)
    step = np.zeros_like(both) if views.closer is None else predictor(resized(style, *views.closer)) - both
    return StyleCodes(both + shift, target + shift, step, picture_palette(far))


def _size(height: int, width: int, side: float) -> tuple[int, int]:
    """Width and height of that shape at an area of about ``side`` squared pixels."""
    scale = side / math.sqrt(height * width)
    # Few different sizes, since the network is prepared anew for each.
    across, down = (max(STEP, round(edge * scale / STEP) * STEP) for edge in (width, height))
    return across, down


def _crop(height: int, width: int, side: float, random: np.random.Generator) -> Crop:
    """A random part of the reference, two fifths or more of each side, perhaps mirrored, at a random scale."""
    part = random.uniform(0.4, 0.85)
    rows, columns = max(1, round(part * height)), max(1, round(part * width))
    top, left = (int(random.integers(0, rest + 1)) for rest in (height - rows, width - columns))
    mirrored = bool(random.random() < 0.5)
    size = _size(rows, columns, side * random.choice([0.75, 0.95, 1.15]))
    return Crop((top, top + rows), (left, left + columns), mirrored, size)


def _cut(style: Floats, crop: Crop) -> Floats:
    cut = style[slice(*crop.rows), slice(*crop.columns)]
    return resized(np.ascontiguousarray(cut[:, ::-1] if crop.mirrored else cut), *crop.size)
