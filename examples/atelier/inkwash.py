"""Ink wash on rough paper: mountains that dissolve in mist, pines, a boat and bamboo, with one red seal."""

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

    def brush(self, path: Points, widths: Field, density: float, dry: float = 0.0) -> None:
        """A stroke through ``path`` (n, 2) of half-``widths`` (n,), in heights; ``dry`` 0..1 lets paper through."""
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


def _mountain(paper: _Paper, base: Field, top: Field, strength: float, fade: float, texture: float) -> None:
    """One range: dark along its ridge ``top``, gone ``fade`` heights below; ``texture`` lays axe-cut strokes on it."""
    below = paper.y - top
    mist = np.exp(-np.clip(below, 0, None) / fade) * (1 - smoothstep(0.0, 1.0, ((paper.y - base) / 0.05)))
    paper.wash(below, (strength * mist), wet=0.006)
    if texture:
        folds = np.abs(paper.sheet.noise(paper.rng, 0.13, 5, 0.6))
        creases = smoothstep(0.20, 0.02, folds) * smoothstep(0.0, 0.02, below)
        paper.ink += (texture * creases * mist * (0.7 + 0.5 * paper.grain)).clip(0)


def _pines(paper: _Paper, ground: Field, spots: list[tuple[float, float]], density: float) -> None:
    """Small pines standing on ``ground`` (a height per column)."""
    for sx, size in spots:
        foot = float(ground[0, min(int(sx * paper.sheet.height), paper.sheet.width - 1)]) + 0.012
        lean = paper.rng.normal(0, 0.10)
        spine = np.array(
            [[sx, foot], [sx + lean * size * 0.5, foot - size * 0.5], [sx + lean * size * 0.6, foot - size]], np.float32
        )
        paper.brush(spine, np.array([0.0045, 0.003, 0.0012], np.float32) * (size / 0.12), density)
        for level in np.linspace(0.32, 1.0, 6):
            reach = size * 0.36 * (1.12 - level) + 0.007
            cx, cy = sx + lean * size * 0.55 * level, foot - size * level
            for side in (-1, 1):
                n = 6
                t = np.linspace(0, 1, n)
                drop = 0.25 * reach * t**1.5 + paper.rng.normal(0, 0.0012, n)
                bough = np.stack([cx + side * reach * t, cy + drop], axis=-1)
                paper.brush(
                    bough,
                    (0.0065 * (size / 0.12) * (1 - 0.75 * t)),
                    density * paper.rng.uniform(0.6, 1.0),
                    0.28,
                )


def _bamboo(paper: _Paper) -> None:
    """Two canes and their leaves, close to the viewer on the right."""
    rng = paper.rng
    for foot, head, width, density in ((2.235, 2.02, 0.0135, 1.05), (2.345, 2.30, 0.0105, 0.55)):
        joints = np.linspace(0, 1, 8)
        for a, b in pairwise(joints):
            t = np.linspace(a + 0.006, b - 0.006, 6)
            cane = np.stack([foot + (head - foot) * t**1.5, 1.04 - 1.12 * t], axis=-1)
            swell = 1 + 0.16 * np.abs(np.linspace(-1, 1, 6)) ** 3
            paper.brush(cane, (width * (1 - 0.45 * t) * swell), density * rng.uniform(0.55, 0.85), 0.30)
            jx, jy = foot + (head - foot) * b**1.5, 1.04 - 1.12 * b
            paper.brush(
                np.array([[jx - width, jy], [jx + width, jy - 0.004]], np.float32),
                np.array([0.003, 0.003], np.float32),
                density,
            )
            if b > 0.32:
                for _ in range(3):
                    side = rng.choice([-1.0, 1.0], p=[0.7, 0.3])
                    twig = np.array(
                        [[jx, jy], [jx + side * rng.uniform(0.05, 0.16), jy - rng.uniform(-0.03, 0.07)]], np.float32
                    )
                    paper.brush(twig, np.array([0.0028, 0.0012], np.float32), density * 0.9)
                    for _ in range(rng.integers(3, 6)):
                        start = twig[0] + (twig[1] - twig[0]) * rng.uniform(0.45, 1.0)
                        heading = np.arctan2(rng.uniform(0.25, 1.25), side * rng.uniform(0.35, 1.0))
                        length = rng.uniform(0.085, 0.165)
                        t = np.linspace(0, 1, 8)
                        sag = 0.18 * length * t**2
                        leaf = np.stack(
                            [start[0] + np.cos(heading) * length * t, start[1] + np.sin(heading) * length * t + sag],
                            axis=-1,
                        )
                        blade = 0.0118 * np.sin(np.pi * t**0.62) ** 0.9 + 0.0004
                        paper.brush(
                            leaf,
                            blade,
                            density * rng.choice([0.45, 0.8, 1.1]),
                            0.15,
                        )


def paint(seed: int = 5, width: int = 1200, height: int = 500) -> Image.Image:
    """The scroll, painted at half as large again and reduced."""
    rng = np.random.default_rng(seed)
    sheet = Canvas(width * 3 // 2, height * 3 // 2)
    paper = _Paper(sheet, rng)
    x, y = paper.x, paper.y

    def jag(amount: float, size: float) -> Field:
        line = sheet.noise(rng, size, 6, 1.0)[sheet.height // 2]
        return np.broadcast_to(amount * line, x.shape)

    sky = smoothstep(0.42, 0.0, y) * (0.5 + 0.5 * paper.pool)
    paper.ink += np.clip(0.13 * sky, 0, None)
    far = (
        0.46
        - 0.20 * np.exp(-(((x - 1.30) / 0.20) ** 2))
        - 0.11 * np.exp(-(((x - 1.72) / 0.22) ** 2))
        + jag(0.030, 0.18)
    )
    _mountain(paper, y * 0 + 0.66, far, 0.20, 0.16, 0.0)
    middle = (
        0.60
        - 0.36 * np.exp(-(((x - 0.74) / 0.15) ** 2))
        - 0.22 * np.exp(-(((x - 1.02) / 0.13) ** 2))
        - 0.10 * np.exp(-(((x - 2.0) / 0.30) ** 2))
        + jag(0.040, 0.16)
    )
    _mountain(paper, y * 0 + 0.74, middle, 0.42, 0.18, 0.28)
    near = (
        0.80
        - 0.62 * np.exp(-(((x - 0.20) / 0.17) ** 2))
        - 0.30 * np.exp(-(((x - 0.46) / 0.12) ** 2))
        + 0.12 * smoothstep(0.6, 1.1, x)
        + jag(0.050, 0.15)
    )
    _mountain(paper, y * 0 + 0.90, near, 0.80, 0.24, 0.75)
    ridge = np.broadcast_to(near[0], x.shape)
    _pines(
        paper,
        ridge,
        [
            (0.09, 0.10),
            (0.135, 0.13),
            (0.30, 0.10),
            (0.34, 0.13),
            (0.405, 0.15),
            (0.455, 0.16),
            (0.52, 0.12),
            (0.575, 0.10),
        ],
        0.95,
    )

    spit = 0.880 + 0.050 * ((x - 0.80) / 0.62) ** 2 + jag(0.006, 0.10)
    paper.wash(
        np.minimum(y - spit, 0.93 - y),
        (0.50 * np.exp(-np.clip(y - spit, 0, None) / 0.03)),
        wet=0.007,
    )
    ground = np.broadcast_to(spit[0], x.shape)
    _pines(paper, ground, [(0.70, 0.15), (0.755, 0.20), (0.82, 0.16), (0.94, 0.10)], 1.05)
    for _ in range(22):
        cx, cy, reach = rng.uniform(0.9, 2.1), rng.uniform(0.78, 0.985), rng.uniform(0.03, 0.14)
        t = np.linspace(-1, 1, 6)
        paper.brush(
            np.stack([cx + reach * t, cy + 0.003 * np.sin(4 * t)], axis=-1),
            (0.0016 * (1 - t**2) + 0.0004),
            rng.uniform(0.12, 0.35),
            0.35,
        )

    bx, by = 1.50, 0.835
    t = np.linspace(-1, 1, 9)
    hull = np.stack([bx + 0.085 * t, by - 0.022 * t**2 + 0.012], axis=-1)
    paper.brush(hull, (0.0085 * (1 - 0.85 * t**2) + 0.001), 1.15)
    paper.brush(
        np.array([[bx - 0.01, by - 0.004], [bx + 0.012, by - 0.045], [bx + 0.036, by - 0.004]], np.float32),
        np.array([0.004, 0.006, 0.004], np.float32),
        0.75,
        0.2,
    )
    paper.brush(
        np.array([[bx - 0.050, by], [bx - 0.046, by - 0.034]], np.float32), np.array([0.0070, 0.0035], np.float32), 1.1
    )
    paper.brush(
        np.array([[bx - 0.064, by - 0.036], [bx - 0.046, by - 0.047], [bx - 0.028, by - 0.036]], np.float32),
        np.array([0.001, 0.005, 0.001], np.float32),
        1.0,
    )
    paper.brush(
        np.array([[bx - 0.052, by - 0.022], [bx - 0.125, by + 0.040]], np.float32),
        np.array([0.0012, 0.0012], np.float32),
        0.8,
    )
    paper.brush(
        np.stack([bx + 0.07 * t, np.full_like(t, by + 0.034)], axis=-1),
        np.full(9, 0.005, np.float32),
        0.22,
        0.3,
    )
    for wx, wy, span in ((1.02, 0.19, 0.022), (1.075, 0.155, 0.018), (1.115, 0.205, 0.016), (0.96, 0.13, 0.014)):
        for side in (-1, 1):
            s = np.linspace(0, 1, 5)
            paper.brush(
                np.stack([wx + side * span * s, wy - 0.5 * span * np.sin(2.2 * s)], axis=-1),
                (0.0022 * (1 - 0.8 * s)),
                0.9,
            )
    _bamboo(paper)

    fibre = sheet.noise(rng, 0.03, 4, 6.0)
    base = sheet.fill("#efe6d2") * (1 + 0.020 * fibre + 0.030 * paper.pool + 0.014 * paper.grain)[..., None]
    settled = np.clip(paper.ink, 0, None) * (1 + 0.20 * paper.grain)
    settled = 0.75 * settled + 0.25 * blur(settled, 2.5)
    glow = np.hypot(x - 1.74, y - 0.20)
    disc = smoothstep(0.004, -0.004, (glow - 0.072 + 0.002 * paper.bleed)) * (
        0.80 + 0.16 * paper.pool + 0.08 * paper.grain
    )
    colour = mix(base, base * rgb("#d4482f") * 1.05, np.clip(disc, 0, 0.95))
    colour = colour * np.exp(-settled[..., None] * np.array([2.15, 2.05, 1.86], np.float32))
    seal = (np.abs(x - 0.055) < 0.022) & (np.abs(y - 0.12) < 0.030)
    cut = (
        (np.abs(x - 0.055) < 0.0155)
        & (np.abs(y - 0.12) < 0.0235)
        & ((np.sin(310 * x) > 0.45) ^ (np.abs(np.sin(150 * y)) < 0.35))
    )
    stamp = blur((seal & ~cut).astype(np.float32), 0.8) * (0.86 + 0.12 * paper.grain)
    return finish(mix(colour, sheet.fill("#b3261e"), np.clip(stamp, 0, 1)), (width, height))
