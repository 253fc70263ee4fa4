"""Thick oil paint: a wheat field, a cypress and a windy sky, laid with thousands of loaded brush strokes."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from atelier.brush import Surface, trace
from atelier.canvas import Canvas, Field, blur, finish, light, ramp, rgb, smoothstep


@dataclass(frozen=True)
class Plane:
    """One part of the picture, painted back to front: where it is, its palette, its light and its direction."""

    mask: npt.NDArray[np.bool_]
    palette: tuple[str, ...]
    tone: Field
    angle: Field
    passes: tuple[tuple[float, float, float], ...]
    """(stroke width, stroke length, coverage) per pass; sizes in 1/1000 of the height."""


def _swirl(x: Field, y: Field, eddies: list[tuple[float, float, float, float]]) -> Field:
    """Direction of a wind that blows to the right and turns around each eddy (x, y, radius, turn)."""
    east, south = np.ones_like(x), 0.25 * np.sin(5 * x + 1)
    for cx, cy, radius, turn in eddies:
        dx, dy = x - cx, y - cy
        pull = turn * np.exp(-(dx * dx + dy * dy) / (radius * radius)) / radius
        east, south = east - dy * pull * 4, south + dx * pull * 4
    return np.arctan2(south, east)


def _planes(sheet: Canvas, rng: np.random.Generator) -> list[Plane]:
    x, y = sheet.x, sheet.y
    wind = sheet.noise(rng, 0.25)
    sun_x, sun_y = 0.69, 0.25
    to_sun = np.hypot(x - sun_x, y - sun_y)
    eddies = [(0.36, 0.20, 0.16, 1.0), (0.93, 0.40, 0.11, -0.9), (0.50, 0.42, 0.09, 0.8), (0.12, 0.07, 0.12, -0.8)]
    sky_angle = _swirl(x, y, [*eddies, (sun_x, sun_y, 0.20, 1.6)])
    bands = np.sin(26 * (y + 0.05 * wind) + 6 * np.sin(4 * x))
    curls = sum(
        np.cos(60 * np.hypot(x - cx, y - cy)) * np.exp(-(((x - cx) ** 2 + (y - cy) ** 2) / r**2))
        for cx, cy, r, _ in eddies
    )
    sky_tone = 0.22 + 0.42 * y + 0.13 * bands + 0.26 * np.asarray(curls, np.float32) + 0.08 * wind
    ridge = 0.565 - 0.06 * np.sin(3.1 * x + 0.4) - 0.035 * np.sin(8 * x + 2) + 0.012 * wind
    near = 0.655 + 0.045 * np.sin(4.4 * x + 2.6) + 0.01 * wind
    field = 0.74 + 0.04 * np.sin(3 * x + 0.5)
    rings = 0.5 + 0.5 * np.cos(70 * to_sun)
    halo = (to_sun < 0.19) & (y < ridge)
    slope = np.arctan(np.gradient(ridge, axis=1) * sheet.height)

    flame = 0.078 * np.sin(np.pi * np.clip((y - 0.06) / 1.02, 0, 1) ** 0.8) ** 0.9 * (1 + 0.18 * np.sin(31 * y + 9 * x))
    spine = 0.205 + 0.018 * np.sin(9 * y)
    cypress = (np.abs(x - spine) < flame) & (y > 0.06) & (y < 0.93)
    small = (
        (np.abs(x - 0.345 - 0.01 * np.sin(14 * y)) < 0.55 * flame * smoothstep(0.33, 0.55, y)) & (y > 0.34) & (y < 0.86)
    )
    lit = np.clip((x - spine) / 0.08, -1, 1)

    return [
        Plane(
            y < ridge + 0.03,
            ("#12245c", "#1f4596", "#2f74b5", "#6cb0c8", "#bcd9c4", "#f3e7b0"),
            sky_tone,
            sky_angle,
            ((34, 150, 2.2), (17, 95, 1.6), (11, 70, 0.9)),
        ),
        Plane(
            halo,
            ("#f9f0c0", "#f7d95a", "#f2b83a", "#a9c7a0", "#5aa2bf"),
            to_sun / 0.19 + 0.12 * (rings - 0.5),
            np.arctan2(x - sun_x, -(y - sun_y)),
            ((15, 60, 1.6), (9, 46, 1.0)),
        ),
        Plane(
            to_sun < 0.062,
            ("#fffbe0", "#fdec9a", "#f6c736", "#ee9a22"),
            to_sun / 0.07,
            np.arctan2(x - sun_x, -(y - sun_y)),
            ((13, 40, 2.4),),
        ),
        Plane(
            (y > ridge) & (y < near + 0.03),
            ("#1d2f66", "#3c5594", "#6d7fae", "#a79bb6"),
            0.25 + 3.2 * (y - ridge) + 0.35 * wind,
            slope + 0.35 * np.sin(18 * x),
            ((18, 70, 1.8), (10, 46, 1.4)),
        ),
        Plane(
            (y > near) & (y < field + 0.03),
            ("#1f4a35", "#3f7d45", "#84a94b", "#c9c05a", "#e6d488"),
            0.35 + 0.4 * np.sin(9 * x + 30 * y) + 0.25 * wind,
            0.25 * np.sin(5 * x) - 0.15,
            ((17, 80, 1.8), (10, 50, 1.2)),
        ),
        Plane(
            cypress | small,
            ("#0c1a17", "#15322a", "#245239", "#54813f", "#a5a848"),
            0.30 + 0.32 * lit + 0.30 * wind,
            (-1.57 + 0.55 * np.sin(24 * y + 10 * x) - 0.35 * lit),
            ((15, 70, 2.2), (8, 52, 1.4)),
        ),
        Plane(
            y > field,
            ("#8a4a17", "#c77a1c", "#e6a92b", "#f4cf55", "#fbeaa4"),
            0.35 + 0.35 * np.sin(13 * x - 17 * y) + 0.3 * wind,
            (-1.35 + 0.55 * np.sin(5 * x + 3 * y) + 0.25 * wind),
            ((20, 95, 1.8), (12, 80, 1.6), (7, 62, 1.0)),
        ),
    ]


def paint(seed: int = 1, size: int = 768) -> Image.Image:
    """The picture, ``size`` square, painted at half as large again and reduced."""
    rng = np.random.default_rng(seed)
    sheet = Canvas(size * 3 // 2, size * 3 // 2)
    unit = sheet.height / 1000
    surface = Surface(sheet.fill("#c08a4a"), np.zeros((sheet.height, sheet.width), np.float32))
    for plane in _planes(sheet, rng):
        rows, columns = np.nonzero(plane.mask)
        for width, length, coverage in plane.passes:
            count = int(coverage * rows.size / (width * length * unit * unit)) + 1
            chosen = rng.integers(0, rows.size, count)
            starts = np.stack([columns[chosen], rows[chosen]], axis=-1).astype(np.float64)
            step = 4 * unit
            paths = trace(plane.angle + rng.normal(0, 0.05), starts, max(int(length / 4), 4), step)
            tones = plane.tone[rows[chosen], columns[chosen]] + rng.normal(0, 0.09, count)
            colours = ramp(tones, plane.palette) * rng.normal(1, 0.05, (count, 3))
            for path, colour in zip(paths, colours, strict=True):
                surface.stroke(path, width * unit * rng.uniform(0.75, 1.25), colour, rng)
    return _varnish(surface, sheet, rng, size)


def _varnish(surface: Surface, sheet: Canvas, rng: np.random.Generator, size: int) -> Image.Image:
    """Light the ridges of paint over a canvas weave and reduce."""
    weave = 0.10 * (np.sin(sheet.x * 900) * np.sin(sheet.y * 900))
    diffuse, gloss = light(blur(surface.relief, 0.8) + weave, 0.85)
    colour = surface.colour * (0.28 + 0.72 * diffuse)[..., None] + 0.20 * (gloss * (diffuse > 1))[..., None] * rgb(
        "#fff6e0"
    )
    colour += 0.012 * sheet.noise(rng, 0.004, 1)[..., None]
    return finish(colour, (size, size))
