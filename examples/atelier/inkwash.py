"""Ink wash on rough paper: mountains that dissolve in mist, pines, a boat and bamboo, with one red seal."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from PIL import Image

from atelier.brush import Points
from atelier.canvas import Canvas, Field, Rng, blur, finish, mix, rgb, smoothstep


class _Paper:
    """A sheet that takes ink: ``ink`` is the density of pigment, 0 none; it stays down and only adds."""

    def __init__(self, sheet: Canvas, rng: Rng) -> None:
        self.sheet, self.rng = sheet, rng
        self.x, self.y = sheet.x, sheet.y
        self.ink = np.zeros_like(self.x)
        self.grain = sheet.noise(rng, 0.010, 3) * 0.6 + sheet.noise(rng, 0.05, 3, 3.0) * 0.4
        self.bleed = sheet.noise(rng, 0.07, 5)
        self.pool = sheet.noise(rng, 0.30, 4, 1.6)

    def wash(self, inside: Field, density: Field, *, wet: float = 0.006, rim: float = 0.25) -> None:
        """Flood ``inside`` (heights, positive inside) with ``density``; pigment gathers at the drying edge."""
        ragged = inside + wet * 0.9 * self.bleed + wet * 0.25 * self.grain
        cover = smoothstep(-wet, wet * 0.6, ragged)
        edge = np.exp(-(((ragged - wet * 0.6) / (wet * 0.55 + 0.0012)) ** 2))
        body = density * (cover * (0.86 + 0.20 * self.pool + 0.10 * self.grain) + rim * edge * cover)
        self.ink += np.clip(body, 0, None)

    def brush(
        self,
        points: Sequence[Sequence[float]] | Points,
        half_widths: Sequence[float] | Field,
        density: float,
        dry: float = 0.0,
    ) -> None:
        """A stroke through ``points`` (n, 2), ``half_widths`` (n,), in heights; ``dry`` 0..1 lets paper through."""
        path, widths = np.asarray(points, np.float64), np.asarray(half_widths, np.float64)
        low = path.min(0) - widths.max() - 0.01
        high = path.max(0) + widths.max() + 0.01
        scale = self.sheet.height
        left, right = max(int(low[0] * scale), 0), min(int(high[0] * scale) + 1, self.sheet.width)
        top, bottom = max(int(low[1] * scale), 0), min(int(high[1] * scale) + 1, self.sheet.height)
        if left >= right or top >= bottom:
            return
        window = np.s_[top:bottom, left:right]
        x, y = self.x[window], self.y[window]
        inside = np.full(x.shape, -1.0, np.float32)
        for (ax, ay), (bx, by), wa, wb in zip(path[:-1], path[1:], widths[:-1], widths[1:], strict=True):
            length = max((bx - ax) ** 2 + (by - ay) ** 2, 1e-9)
            t = np.clip(((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length, 0, 1)
            inside = np.maximum(inside, wa + (wb - wa) * t - np.hypot(x - ax - t * (bx - ax), y - ay - t * (by - ay)))
        ragged = inside + 0.0012 * self.grain[window]
        cover = np.clip(ragged * scale / 1.5 + 0.5, 0, 1)
        tooth = 1 - smoothstep(-0.2, 0.5, (self.grain[window] + 1.6 * dry - 0.9)) * (dry > 0)
        edge = 0.25 * np.exp(-((inside * scale / 2.2) ** 2))
        self.ink[window] += density * cover * tooth * (0.85 + 0.15 * self.pool[window] + edge)


def _mountain(paper: _Paper, base: float, top: Field, strength: float, fade: float, texture: float) -> None:
    """One range: dark along its ridge ``top``, lost in mist ``fade`` below it and under ``base``, of rough rock."""
    below = paper.y - top
    mist = np.exp(-np.clip(below, 0, None) / fade) * (1 - smoothstep(0.0, 1.0, ((paper.y - base) / 0.05)))
    paper.wash(below, (strength * mist), wet=0.006)
    if texture:
        folds = np.abs(paper.sheet.noise(paper.rng, 0.13, 5, 0.6))
        creases = smoothstep(0.20, 0.02, folds) * smoothstep(0.0, 0.02, below)
        paper.ink += (texture * creases * mist * (0.7 + 0.5 * paper.grain)).clip(0)


def _pines(paper: _Paper, ground: Field, spots: list[tuple[float, float]], density: float) -> None:
    """Small pines at ``spots`` (x, height), standing on ``ground``."""
    rng, t = paper.rng, np.linspace(0, 1, 6)
    for at, size in spots:
        column = min(int(at * paper.sheet.height), paper.sheet.width - 1)
        foot, lean, scale = float(ground[0, column]) + 0.012, rng.normal(0, 0.10) * size, size / 0.12
        trunk = [(at, foot), (at + 0.5 * lean, foot - 0.5 * size), (at + 0.6 * lean, foot - size)]
        paper.brush(trunk, [0.0045 * scale, 0.003 * scale, 0.0012 * scale], density)
        for level in np.linspace(0.32, 1.0, 6):
            reach = size * 0.36 * (1.12 - level) + 0.007
            for side in (-1, 1):
                drop = 0.25 * reach * t**1.5 + rng.normal(0, 0.0012, t.size)
                bough = np.stack([at + 0.55 * lean * level + side * reach * t, foot - size * level + drop], axis=-1)
                paper.brush(bough, 0.0065 * scale * (1 - 0.75 * t), density * rng.uniform(0.6, 1.0), 0.28)


def _bamboo(paper: _Paper) -> None:
    """Two canes, close to the viewer on the right."""
    rng = paper.rng
    for foot, head, width, density in ((2.235, 2.02, 0.0135, 1.05), (2.345, 2.30, 0.0105, 0.55)):
        for low, high in pairwise(np.linspace(0, 1, 8)):
            t = np.linspace(low + 0.006, high - 0.006, 6)
            cane = np.stack([foot + (head - foot) * t**1.5, 1.04 - 1.12 * t], axis=-1)
            swell = 1 + 0.16 * np.abs(np.linspace(-1, 1, 6)) ** 3
            paper.brush(cane, width * (1 - 0.45 * t) * swell, density * rng.uniform(0.55, 0.85), 0.30)
            x, y = foot + (head - foot) * high**1.5, 1.04 - 1.12 * high
            paper.brush([(x - width, y), (x + width, y - 0.004)], [0.003, 0.003], density)
            if high > 0.32:
                for _ in range(3):
                    _twig(paper, x, y, density)


def _twig(paper: _Paper, x: float, y: float, density: float) -> None:
    """A twig that starts at a joint of the cane, with three to five leaves, each one press of the brush."""
    rng, t = paper.rng, np.linspace(0, 1, 8)
    side = rng.choice([-1.0, 1.0], p=[0.7, 0.3])
    across, up = side * rng.uniform(0.05, 0.16), rng.uniform(-0.03, 0.07)
    paper.brush([(x, y), (x + across, y - up)], [0.0028, 0.0012], density * 0.9)
    for _ in range(rng.integers(3, 6)):
        place = rng.uniform(0.45, 1.0)
        heading = np.arctan2(rng.uniform(0.25, 1.25), side * rng.uniform(0.35, 1.0))
        length = rng.uniform(0.085, 0.165)
        right, down = np.cos(heading) * length * t, np.sin(heading) * length * t + 0.18 * length * t**2
        leaf = np.stack([x + place * across + right, y - place * up + down], axis=-1)
        blade = 0.0118 * np.sin(np.pi * t**0.62).clip(0) ** 0.9 + 0.0004
        paper.brush(leaf, blade, density * rng.choice([0.45, 0.8, 1.1]), 0.15)


def _skyline(paper: _Paper, level: float, peaks: list[tuple[float, float, float]], rough: float) -> Field:
    """Height of a ridge in every column: ``peaks`` (x, rise, spread) over ``level``, with ragged rock."""
    x = paper.x
    rise = sum(lift * np.exp(-(((x - at) / spread) ** 2)) for at, lift, spread in peaks)
    rock = paper.sheet.noise(paper.rng, 0.16, 6)[paper.sheet.height // 2]
    return np.asarray(level - rise + rough * rock)


def _ranges(paper: _Paper) -> None:
    """Three ranges, each nearer, darker and rougher; pines on the last."""
    x = paper.x
    _mountain(paper, 0.66, _skyline(paper, 0.46, [(1.30, 0.20, 0.20), (1.72, 0.11, 0.22)], 0.030), 0.20, 0.16, 0.0)
    middle = _skyline(paper, 0.60, [(0.74, 0.36, 0.15), (1.02, 0.22, 0.13), (2.0, 0.10, 0.30)], 0.040)
    _mountain(paper, 0.74, middle, 0.42, 0.18, 0.28)
    near = _skyline(paper, 0.80, [(0.20, 0.62, 0.17), (0.46, 0.30, 0.12)], 0.050) + 0.12 * smoothstep(0.6, 1.1, x)
    _mountain(paper, 0.90, near, 0.80, 0.24, 0.75)
    left = [(0.09, 0.10), (0.135, 0.13), (0.30, 0.10), (0.34, 0.13), (0.405, 0.15)]
    right = [(0.455, 0.16), (0.52, 0.12), (0.575, 0.10)]
    _pines(paper, near, left + right, 0.95)


def _water(paper: _Paper) -> None:
    """A spit of land with pines, and a few dry strokes for ripples."""
    x, y, rng = paper.x, paper.y, paper.rng
    spit = _skyline(paper, 0.880, [], 0.006) + 0.050 * ((x - 0.80) / 0.62) ** 2
    paper.wash(np.minimum(y - spit, 0.93 - y), 0.50 * np.exp(-np.clip(y - spit, 0, None) / 0.03), wet=0.007)
    _pines(paper, spit, [(0.70, 0.15), (0.755, 0.20), (0.82, 0.16), (0.94, 0.10)], 1.05)
    t = np.linspace(-1, 1, 6)
    for _ in range(22):
        at, level, reach = rng.uniform(0.9, 2.1), rng.uniform(0.78, 0.985), rng.uniform(0.03, 0.14)
        ripple = np.stack([at + reach * t, level + 0.003 * np.sin(4 * t)], axis=-1)
        paper.brush(ripple, 0.0016 * (1 - t**2) + 0.0004, rng.uniform(0.12, 0.35), 0.35)


def _boat(paper: _Paper, x: float, y: float) -> None:
    """A fisherman in a straw hat."""
    t = np.linspace(-1, 1, 9)
    hull = np.stack([x + 0.085 * t, y - 0.022 * t**2 + 0.012], axis=-1)
    paper.brush(hull, 0.0085 * (1 - 0.85 * t**2) + 0.001, 1.15)
    paper.brush(
        [(x - 0.010, y - 0.004), (x + 0.012, y - 0.045), (x + 0.036, y - 0.004)], [0.004, 0.006, 0.004], 0.75, 0.2
    )
    paper.brush([(x - 0.050, y), (x - 0.046, y - 0.034)], [0.0070, 0.0035], 1.1)
    paper.brush([(x - 0.064, y - 0.036), (x - 0.046, y - 0.047), (x - 0.028, y - 0.036)], [0.001, 0.005, 0.001], 1.0)
    paper.brush([(x - 0.052, y - 0.022), (x - 0.125, y + 0.040)], [0.0012, 0.0012], 0.8)
    paper.brush(np.stack([x + 0.07 * t, np.full_like(t, y + 0.034)], axis=-1), np.full(9, 0.005), 0.22, 0.3)


def _birds(paper: _Paper) -> None:
    t = np.linspace(0, 1, 5)
    for x, y, span in ((1.02, 0.19, 0.022), (1.075, 0.155, 0.018), (1.115, 0.205, 0.016), (0.96, 0.13, 0.014)):
        for side in (-1, 1):
            wing = np.stack([x + side * span * t, y - 0.5 * span * np.sin(2.2 * t)], axis=-1)
            paper.brush(wing, 0.0022 * (1 - 0.8 * t), 0.9)


def _mount(paper: _Paper) -> Field:
    """The paper's own colour, the red sun and seal, and the ink over them, settled into the grain."""
    x, y, sheet = paper.x, paper.y, paper.sheet
    fibre = sheet.noise(paper.rng, 0.03, 4, 6.0)
    base = sheet.fill("#efe6d2") * (1 + 0.020 * fibre + 0.030 * paper.pool + 0.014 * paper.grain)[..., None]
    sun = smoothstep(0.004, -0.004, np.hypot(x - 1.74, y - 0.20) - 0.072 + 0.002 * paper.bleed)
    colour = mix(
        base, base * rgb("#d4482f") * 1.05, np.clip(sun * (0.80 + 0.16 * paper.pool + 0.08 * paper.grain), 0, 0.95)
    )

    settled = np.clip(paper.ink, 0, None) * (1 + 0.20 * paper.grain)
    settled = 0.75 * settled + 0.25 * blur(settled, 2.5)
    colour = colour * np.exp(-settled[..., None] * np.array([2.15, 2.05, 1.86]))

    across, down = np.abs(x - 0.055), np.abs(y - 0.12)
    cut = (across < 0.0155) & (down < 0.0235) & ((np.sin(310 * x) > 0.45) ^ (np.abs(np.sin(150 * y)) < 0.35))
    seal = (across < 0.022) & (down < 0.030) & ~cut
    stamp = blur(seal.astype(np.float32), 0.8) * (0.86 + 0.12 * paper.grain)
    return mix(colour, sheet.fill("#b3261e"), np.clip(stamp, 0, 1))


def paint(seed: int = 5, width: int = 1200, height: int = 500) -> Image.Image:
    """The scroll, painted at half as large again and reduced."""
    rng = np.random.default_rng(seed)
    paper = _Paper(Canvas(width * 3 // 2, height * 3 // 2), rng)
    paper.ink += 0.13 * np.clip(smoothstep(0.42, 0.0, paper.y) * (0.5 + 0.5 * paper.pool), 0, None)
    _ranges(paper)
    _water(paper)
    _boat(paper, 1.50, 0.835)
    _birds(paper)
    _bamboo(paper)
    return finish(_mount(paper), (width, height))
