"""Soft pastel on dark rough paper, whose tooth breaks every stroke: flowers in a blue vase on an orange cloth."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from atelier.brush import Surface, trace
from atelier.canvas import Canvas, Field, Rng, blur, finish, light, ramp, rgb


@dataclass
class _Sheet:
    """The paper, what lies on it, and the hand."""

    canvas: Canvas
    rng: Rng
    surface: Surface
    tooth: Field

    def cover(
        self,
        mask: Field,
        tone: Field,
        palette: tuple[str, ...],
        angle: Field,
        width: float,
        length: float,
        coverage: float,
        press: float = 0.0,
    ) -> None:
        """Rub strokes along ``angle`` where ``mask`` > 0; sizes in heights, ``press`` pushes chalk into the tooth."""
        rows, columns = np.nonzero(mask > 0)
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


def _flower(
    sheet: _Sheet,
    x: Field,
    y: Field,
    at: tuple[float, float],
    size: float,
    petals: int,
    palette: tuple[str, ...],
    heart: str,
) -> None:
    """Petals rubbed outwards from ``at``, dark to light, and a heart of dabs."""
    far, turn = np.hypot(x - at[0], (y - at[1]) * 1.12), np.arctan2(y - at[1], x - at[0])
    phase = sheet.rng.uniform(0, 6)
    rim = size * (0.80 + 0.20 * np.abs(np.cos(turn * petals / 2 + phase)))
    inside = np.where(far < rim, 1.0, 0.0)
    tone = (
        np.clip(far / size, 0, 1) * 0.75 + 0.22 * np.cos(turn * petals + 2 * phase) - 0.25 * np.sin(turn + 0.8) + 0.05
    )
    sheet.cover(inside, tone, palette, turn, 0.016, 0.05, 2.2, 0.20)
    sheet.cover(inside, (tone + 0.22), palette, turn + 0.25, 0.008, 0.035, 1.0, 0.05)
    core = np.where(far < size * 0.22, 1.0, 0.0)
    sheet.cover(core, (far / size * 2), (heart, "#ffe9a0"), turn + 1.6, 0.010, 0.014, 3.0, 0.3)


def paint(seed: int = 7, size: int = 768) -> Image.Image:
    """The picture, rubbed at half as large again and reduced."""
    rng = np.random.default_rng(seed)
    canvas = Canvas(size * 3 // 2, size * 3 // 2)
    x, y = canvas.x, canvas.y
    laid = np.sin(y * 760 + 2 * canvas.noise(rng, 0.1, 2)) * 0.14
    tooth = np.clip(0.55 + 0.38 * canvas.noise(rng, 0.0036, 2) + laid, 0, 1)
    paper = canvas.fill("#2c2440") * (1 + 0.10 * canvas.noise(rng, 0.006, 2))[..., None]
    sheet = _Sheet(canvas, rng, Surface(paper, np.zeros(x.shape, np.float32)), tooth)
    slow = canvas.noise(rng, 0.30, 3)

    table = 0.74 + 0.02 * np.sin(3 * x)
    wall = np.where(y < table, 1.0, 0.0)
    cloth = 1 - wall
    halo = np.exp(-(((x - 0.46) / 0.36) ** 2 + ((y - 0.36) / 0.34) ** 2))
    sheet.cover(
        wall,
        (0.22 + 0.55 * halo + 0.22 * slow),
        ("#27306f", "#2f5f94", "#3f9aa0", "#8fcbb0", "#d7e4b4"),
        0.9 + 0.25 * slow,
        0.030,
        0.13,
        2.3,
        0.0,
    )
    sheet.cover(
        wall,
        (0.30 + 0.55 * halo + 0.20 * slow),
        ("#3a2f86", "#3f7fae", "#6fc0b4", "#e6ecc4"),
        -0.6 + 0.2 * slow,
        0.013,
        0.10,
        0.7,
        -0.10,
    )
    fold = np.sin(11 * x - 7 * y + 2 * slow)
    sheet.cover(
        cloth,
        (0.55 + 0.35 * fold - 0.3 * np.exp(-(((x - 0.68) / 0.20) ** 2 + ((y - 0.90) / 0.05) ** 2))),
        ("#5a1f3a", "#b23a2c", "#e8772e", "#f7b04a", "#fde0a0"),
        0.25 + 0.35 * np.cos(9 * x - 6 * y),
        0.026,
        0.12,
        2.2,
        0.02,
    )
    sheet.cover(
        cloth,
        (0.62 + 0.35 * fold),
        ("#7a2440", "#f08a3a", "#ffe2a8"),
        -0.5 + 0.2 * slow,
        0.010,
        0.08,
        0.7,
        -0.08,
    )

    t = np.clip((y - 0.50) / 0.42, 0, 1)
    half = 0.058 + 0.115 * np.clip(np.sin(np.pi * t**1.15), 0, 1) ** 1.1 + 0.012 * (t < 0.05) - 0.005 * (t > 0.95)
    vase = np.where((np.abs(x - 0.47) < half) & (y > 0.50) & (y < 0.92), 1.0, 0.0)
    shadow = np.where(np.hypot((x - 0.66) / 0.24, (y - 0.905) / 0.035) < 1, 1.0, 0.0)
    sheet.cover(shadow, 0.3 + 0.3 * slow, ("#2a1a4a", "#5a2f6a"), 0.1 + 0 * x, 0.016, 0.09, 1.8, 0.08)
    side = (x - 0.47) / half
    shape = np.clip(0.62 - 0.55 * side - 0.10 * np.cos(2.8 * side), 0, 1)
    sheet.cover(
        vase,
        shape,
        ("#14205a", "#1f4f9a", "#2f8fc4", "#6fcfd8", "#d8f4ea"),
        1.57 + 0.55 * side,
        0.013,
        0.045,
        4.0,
        0.16,
    )
    band = np.where(
        (vase > 0) & (np.abs(t - 0.42) < 0.10) & (np.abs((t - 0.42) + 0.055 * np.sin(side * 9)) < 0.030), 1.0, 0.0
    )
    sheet.cover(band, (shape + 0.1), ("#b0602a", "#f2b84a", "#fff0b8"), 0.8 * side, 0.009, 0.03, 2.6, 0.25)
    shine = np.where(np.hypot((x - 0.405) / 0.017, (y - 0.69) / 0.075) < 1, 1.0, 0.0)
    sheet.cover(shine, 1 + 0 * x, ("#d8f4ea", "#ffffff"), 1.35 + 0 * x, 0.012, 0.06, 1.8, 0.10)

    blooms = [
        ((0.30, 0.34), 0.105, 5, ("#7a1436", "#c92a52", "#ee6f8a", "#fbc4c4"), "#f2b02c"),
        ((0.53, 0.235), 0.115, 6, ("#a04a12", "#e8902a", "#fbc94a", "#fff0b4"), "#7a2f1f"),
        ((0.665, 0.405), 0.095, 5, ("#8a7fae", "#d6cfe6", "#ffffff", "#fffdf0"), "#f0a52c"),
        ((0.435, 0.435), 0.085, 5, ("#6a1f6a", "#a94fb0", "#dc9ad6", "#f6dcf0"), "#fbe07a"),
        ((0.385, 0.170), 0.070, 5, ("#8a7fae", "#e0daf0", "#ffffff"), "#f0a52c"),
        ((0.715, 0.235), 0.068, 5, ("#8f1626", "#e23b2f", "#f98a5a"), "#3a1420"),
        ((0.205, 0.480), 0.062, 5, ("#a04a12", "#f0a52c", "#ffe28a"), "#8f1626"),
    ]
    for at, _, _, _, _ in blooms:
        s = np.linspace(0, 1, 14)
        stem = np.stack([0.47 + (at[0] - 0.47) * s**0.8, 0.53 + (at[1] - 0.53) * s], axis=-1) * canvas.height
        for shade, offset in (("#1f5a34", 0.0), ("#6fae4a", 2.5)):
            sheet.stroke((stem + offset), 9.0, rgb(shade), 0.25)
    for lx, ly, heading, reach in (
        (0.33, 0.50, 2.7, 0.15),
        (0.60, 0.52, 0.3, 0.16),
        (0.26, 0.42, 3.5, 0.11),
        (0.74, 0.33, -0.5, 0.11),
        (0.49, 0.34, -1.9, 0.12),
        (0.60, 0.31, -0.9, 0.10),
        (0.38, 0.27, 3.9, 0.11),
        (0.55, 0.50, 0.9, 0.12),
        (0.40, 0.53, 2.2, 0.11),
    ):
        u = (x - lx) * np.cos(heading) + (y - ly) * np.sin(heading)
        v = -(x - lx) * np.sin(heading) + (y - ly) * np.cos(heading)
        s = np.clip(u / reach, 0, 1)
        leaf = np.where((np.abs(v) < 0.26 * reach * np.sin(np.pi * s**0.8)) & (u > 0) & (u < reach), 1.0, 0.0).astype(
            np.float32
        )
        sheet.cover(
            leaf,
            (0.45 - 9 * v * np.sign(np.cos(heading)) + 0.1 * slow),
            ("#123a34", "#1f6a44", "#57a34a", "#b4d468"),
            heading + np.sign(v) * 0.45,
            0.012,
            0.05,
            2.4,
            0.16,
        )
    for at, reach, petals, palette, heart in sorted(blooms, key=lambda bloom: bloom[0][1]):
        _flower(sheet, x, y, at, reach, petals, palette, heart)

    dust = blur(np.clip(canvas.noise(rng, 0.004, 1) - 0.9, 0, 1), 0.7)
    diffuse, _ = light(blur(sheet.tooth * 1.6 + sheet.surface.relief * 0.4, 0.8), 0.55)
    colour = sheet.surface.colour * (0.62 + 0.38 * diffuse)[..., None] + 0.10 * dust[..., None]
    return finish(colour, (size, size))
