"""Soft pastel on dark rough paper, whose tooth breaks every stroke: flowers in a blue vase on an orange cloth."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from atelier.brush import Surface, trace
from atelier.canvas import Canvas, Field, Rng, blur, finish, light, ramp, rgb

Mask = npt.NDArray[np.bool_]

Bloom = tuple[tuple[float, float], float, int, tuple[str, ...], str]
"""Centre, radius, petals, palette from the heart outwards, and the heart's colour."""

BLOOMS: tuple[Bloom, ...] = (
    ((0.30, 0.34), 0.105, 5, ("#7a1436", "#c92a52", "#ee6f8a", "#fbc4c4"), "#f2b02c"),
    ((0.53, 0.235), 0.115, 6, ("#a04a12", "#e8902a", "#fbc94a", "#fff0b4"), "#7a2f1f"),
    ((0.665, 0.405), 0.095, 5, ("#8a7fae", "#d6cfe6", "#ffffff", "#fffdf0"), "#f0a52c"),
    ((0.435, 0.435), 0.085, 5, ("#6a1f6a", "#a94fb0", "#dc9ad6", "#f6dcf0"), "#fbe07a"),
    ((0.385, 0.170), 0.070, 5, ("#8a7fae", "#e0daf0", "#ffffff"), "#f0a52c"),
    ((0.715, 0.235), 0.068, 5, ("#8f1626", "#e23b2f", "#f98a5a"), "#3a1420"),
    ((0.205, 0.480), 0.062, 5, ("#a04a12", "#f0a52c", "#ffe28a"), "#8f1626"),
)

LEAVES = (
    (0.33, 0.50, 2.7, 0.15),
    (0.60, 0.52, 0.3, 0.16),
    (0.26, 0.42, 3.5, 0.11),
    (0.74, 0.33, -0.5, 0.11),
    (0.49, 0.34, -1.9, 0.12),
    (0.60, 0.31, -0.9, 0.10),
    (0.38, 0.27, 3.9, 0.11),
    (0.55, 0.50, 0.9, 0.12),
    (0.40, 0.53, 2.2, 0.11),
)
"""Foot (x, y), heading in radians and length of every leaf."""


@dataclass
class _Sheet:
    """The paper, what lies on it, and the hand."""

    canvas: Canvas
    rng: Rng
    surface: Surface
    tooth: Field
    drift: Field
    """Slow noise, so that no tone is even."""

    def cover(
        self,
        mask: Mask,
        tone: Field,
        palette: tuple[str, ...],
        angle: Field,
        width: float,
        length: float,
        coverage: float,
        press: float = 0.0,
    ) -> None:
        """Rub strokes along ``angle`` over ``mask``; sizes in heights, ``press`` pushes chalk into the tooth."""
        rows, columns = np.nonzero(mask)
        scale = self.canvas.height
        count = int(coverage * rows.size / (width * length * scale * scale)) + 1
        chosen = self.rng.integers(0, rows.size, count)
        starts = np.stack([columns[chosen], rows[chosen]], axis=-1).astype(np.float64)
        tones = tone[rows[chosen], columns[chosen]] + self.rng.normal(0, 0.10, count)
        colours = ramp(tones, palette)
        step = 0.006 * scale
        paths = trace(angle, starts, max(int(length / 0.006), 2), step)
        for path, colour in zip(paths, colours, strict=True):
            self.stroke(path, width * scale * self.rng.uniform(0.7, 1.2), colour, press + 0.15 * self.rng.normal())

    def stroke(self, path: Field, width: float, colour: Field, press: float) -> None:
        """One stroke of chalk."""
        self.surface.stroke(
            path, width, colour, self.rng, body=0.35, streak=0.07, dry=0.45, opacity=0.86, grain=self.tooth, press=press
        )


def _flower(sheet: _Sheet, bloom: Bloom) -> None:
    """Petals rubbed outwards, dark to light, and a heart of dabs."""
    x, y = sheet.canvas.x, sheet.canvas.y
    at, size, petals, palette, heart = bloom
    far, turn = np.hypot(x - at[0], (y - at[1]) * 1.12), np.arctan2(y - at[1], x - at[0])
    phase = sheet.rng.uniform(0, 6)
    rim = size * (0.80 + 0.20 * np.abs(np.cos(turn * petals / 2 + phase)))
    inside = far < rim
    tone = (
        np.clip(far / size, 0, 1) * 0.75 + 0.22 * np.cos(turn * petals + 2 * phase) - 0.25 * np.sin(turn + 0.8) + 0.05
    )
    sheet.cover(inside, tone, palette, turn, 0.016, 0.05, 2.2, 0.20)
    sheet.cover(inside, (tone + 0.22), palette, turn + 0.25, 0.008, 0.035, 1.0, 0.05)
    core = far < size * 0.22
    sheet.cover(core, (far / size * 2), (heart, "#ffe9a0"), turn + 1.6, 0.010, 0.014, 3.0, 0.3)


def _room(sheet: _Sheet) -> None:
    """A wall that lightens behind the flowers, and a cloth in folds; each is rubbed twice, in crossing directions."""
    x, y, slow = sheet.canvas.x, sheet.canvas.y, sheet.drift
    wall = y < 0.74 + 0.02 * np.sin(3 * x)
    halo = 0.55 * np.exp(-(((x - 0.46) / 0.36) ** 2 + ((y - 0.36) / 0.34) ** 2))
    cool = ("#27306f", "#2f5f94", "#3f9aa0", "#8fcbb0", "#d7e4b4")
    sheet.cover(wall, 0.22 + halo + 0.22 * slow, cool, 0.9 + 0.25 * slow, 0.030, 0.13, 2.3)
    violet = ("#3a2f86", "#3f7fae", "#6fc0b4", "#e6ecc4")
    sheet.cover(wall, 0.30 + halo + 0.20 * slow, violet, -0.6 + 0.2 * slow, 0.013, 0.10, 0.7, -0.10)
    fold = 0.35 * np.sin(11 * x - 7 * y + 2 * slow)
    dark = 0.3 * np.exp(-(((x - 0.68) / 0.20) ** 2 + ((y - 0.90) / 0.05) ** 2))
    warm = ("#5a1f3a", "#b23a2c", "#e8772e", "#f7b04a", "#fde0a0")
    sheet.cover(~wall, 0.55 + fold - dark, warm, 0.25 + 0.35 * np.cos(9 * x - 6 * y), 0.026, 0.12, 2.2, 0.02)
    amber = ("#7a2440", "#f08a3a", "#ffe2a8")
    sheet.cover(~wall, 0.62 + fold, amber, -0.5 + 0.2 * slow, 0.010, 0.08, 0.7, -0.08)


def _vase(sheet: _Sheet) -> None:
    """Its shadow, its body turning from light to dark, a wavy band and a shine."""
    x, y = sheet.canvas.x, sheet.canvas.y
    t = np.clip((y - 0.50) / 0.42, 0, 1)
    half = 0.058 + 0.115 * np.clip(np.sin(np.pi * t**1.15), 0, 1) ** 1.1 + 0.012 * (t < 0.05) - 0.005 * (t > 0.95)
    body = (np.abs(x - 0.47) < half) & (y > 0.50) & (y < 0.92)
    side = (x - 0.47) / half
    lit = np.clip(0.62 - 0.55 * side - 0.10 * np.cos(2.8 * side), 0, 1)
    shadow = np.hypot((x - 0.66) / 0.24, (y - 0.905) / 0.035) < 1
    band = body & (np.abs(t - 0.42) < 0.10) & (np.abs((t - 0.42) + 0.055 * np.sin(side * 9)) < 0.030)
    shine = np.hypot((x - 0.405) / 0.017, (y - 0.69) / 0.075) < 1
    level, blue = np.zeros_like(x), ("#14205a", "#1f4f9a", "#2f8fc4", "#6fcfd8", "#d8f4ea")
    sheet.cover(shadow, 0.3 + 0.3 * sheet.drift, ("#2a1a4a", "#5a2f6a"), level + 0.1, 0.016, 0.09, 1.8, 0.08)
    sheet.cover(body, lit, blue, 1.57 + 0.55 * side, 0.013, 0.045, 4.0, 0.16)
    sheet.cover(band, lit + 0.1, ("#b0602a", "#f2b84a", "#fff0b8"), 0.8 * side, 0.009, 0.03, 2.6, 0.25)
    sheet.cover(shine, level + 1, ("#d8f4ea", "#ffffff"), level + 1.35, 0.012, 0.06, 1.8, 0.10)


def _stems_and_leaves(sheet: _Sheet) -> None:
    x, y = sheet.canvas.x, sheet.canvas.y
    t = np.linspace(0, 1, 14)
    for (to_x, to_y), *_ in BLOOMS:
        stem = np.stack([0.47 + (to_x - 0.47) * t**0.8, 0.53 + (to_y - 0.53) * t], axis=-1) * sheet.canvas.height
        sheet.stroke(stem, 9.0, rgb("#1f5a34"), 0.25)
        sheet.stroke(stem + 2.5, 9.0, rgb("#6fae4a"), 0.25)
    green = ("#123a34", "#1f6a44", "#57a34a", "#b4d468")
    for foot_x, foot_y, heading, reach in LEAVES:
        u = (x - foot_x) * np.cos(heading) + (y - foot_y) * np.sin(heading)
        v = (y - foot_y) * np.cos(heading) - (x - foot_x) * np.sin(heading)
        swell = np.sin(np.pi * np.clip(u / reach, 0, 1) ** 0.8)
        leaf = (np.abs(v) < 0.26 * reach * swell) & (u > 0) & (u < reach)
        tone = 0.45 - 9 * v * np.sign(np.cos(heading)) + 0.1 * sheet.drift
        sheet.cover(leaf, tone, green, heading + np.sign(v) * 0.45, 0.012, 0.05, 2.4, 0.16)


def paint(seed: int = 7, size: int = 768) -> Image.Image:
    """The picture, rubbed at half as large again and reduced."""
    rng = np.random.default_rng(seed)
    canvas = Canvas(size * 3 // 2, size * 3 // 2)
    laid = np.sin(canvas.y * 760 + 2 * canvas.noise(rng, 0.1, 2)) * 0.14
    tooth = np.clip(0.55 + 0.38 * canvas.noise(rng, 0.0036, 2) + laid, 0, 1)
    paper = canvas.fill("#2c2440") * (1 + 0.10 * canvas.noise(rng, 0.006, 2))[..., None]
    sheet = _Sheet(canvas, rng, Surface(paper, np.zeros_like(tooth)), tooth, canvas.noise(rng, 0.30, 3))
    _room(sheet)
    _vase(sheet)
    _stems_and_leaves(sheet)
    for bloom in sorted(BLOOMS, key=lambda bloom: bloom[0][1]):
        _flower(sheet, bloom)

    dust = blur(np.clip(canvas.noise(rng, 0.004, 1) - 0.9, 0, 1), 0.7)
    diffuse, _ = light(blur(sheet.tooth * 1.6 + sheet.surface.relief * 0.4, 0.8), 0.55)
    colour = sheet.surface.colour * (0.62 + 0.38 * diffuse)[..., None] + 0.10 * dust[..., None]
    return finish(colour, (size, size))
