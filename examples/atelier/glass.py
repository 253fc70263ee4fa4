"""Stained glass: pieces of streaky glass in lead, lit from behind; a sun with rays, hills, a river and a red flower."""

import numpy as np
import numpy.typing as npt
from PIL import Image

from atelier.canvas import Canvas, Rng, blur, distance, finish, light, rgb, segment

Mask = npt.NDArray[np.bool_]


def _cells(sheet: Canvas, rng: Rng, mask: Mask, count: int, stretch: float = 1.0) -> npt.NDArray[np.int32]:
    """Cut ``mask`` into about ``count`` rounded Voronoi pieces, ``stretch`` times wider than high; numbers from 0."""
    rows, columns = np.nonzero(mask)
    points = np.stack([columns / stretch, rows], axis=-1)
    seeds = points[rng.choice(len(points), count, replace=False)]
    sample = points[rng.choice(len(points), min(len(points), 6000), replace=False)]
    for _ in range(6):
        owner = np.argmin(((sample[:, None] - seeds[None]) ** 2).sum(-1), axis=1)
        seeds = np.stack([sample[owner == i].mean(0) if np.any(owner == i) else seeds[i] for i in range(count)])
    best = np.full(len(points), np.inf, np.float32)
    number = np.zeros(len(points), np.int32)
    for i, seed in enumerate(seeds):
        gap = ((points - seed) ** 2).sum(-1)
        nearer = gap < best
        best[nearer], number[nearer] = gap[nearer], i
    return number


def _design(sheet: Canvas, rng: Rng) -> tuple[npt.NDArray[np.int32], list[str]]:
    """Piece number of every pixel, and the glass chosen for every piece."""
    x, y = sheet.x, sheet.y
    sun_x, sun_y = 0.5, 0.36
    far, turn = np.hypot(x - sun_x, y - sun_y), np.arctan2(y - sun_y, x - sun_x)
    hill_far = y - (0.60 - 0.09 * np.sin(3.4 * x + 0.3))
    hill_left = y - (0.66 + 0.22 * np.clip(x, 0, 1) ** 1.4 + 0.02 * np.sin(9 * x))
    hill_right = y - (0.93 - 0.27 * x + 0.03 * np.sin(7 * x + 1))
    river = 0.035 + 0.16 * np.clip(y - 0.6, 0, 1) - np.abs(x - 0.50 - 0.085 * np.sin(11 * y - 5.6))

    pieces = np.full(x.shape, -1, np.int32)
    glass: list[str] = []

    def put(mask: Mask, labels: npt.NDArray[np.int32], colours: list[str], mode: str = "random") -> None:
        for order, label in enumerate(np.unique(labels)):
            area = np.zeros_like(mask)
            area[mask] = labels == label
            pieces[area] = len(glass)
            glass.append(colours[order % len(colours)] if mode == "turns" else colours[int(rng.integers(len(colours)))])

    rays = np.floor((turn + np.pi) / (2 * np.pi) * 24 + 0.5).astype(np.int32) % 24
    for ring, (inner, outer) in enumerate(((0.195, 0.34), (0.34, 0.52), (0.52, 1.2))):
        band = (
            (far >= inner + 0.02 * np.sin(rays * 2.4 + ring))
            & (far < outer + 0.02 * np.sin(rays * 2.4 + ring + 1))
            & (y < 0.8)
        )
        cool = [
            ["#f2c14a", "#5fb2d8", "#f6d97a", "#3f93cc"],
            ["#2f7fc4", "#8cc8e0", "#2a66b4", "#5aa8d6"],
            ["#1d4fa0", "#2c6fc0", "#173f8a", "#3a4fa8"],
        ][ring]
        put(band, rays[band], cool, "turns")
    halo = (far >= 0.115) & (far < 0.20)
    put(halo, (rays[halo] // 2).astype(np.int32), ["#f08a24", "#f7b733", "#ee6f2a"], "turns")
    core = far < 0.115
    put(core, _cells(sheet, rng, core, 7), ["#ffe98a", "#ffd84a", "#fff2b8", "#ffcf3a"])
    stretch_far = hill_far > 0
    put(stretch_far, _cells(sheet, rng, stretch_far, 26, 2.0), ["#7a5fb0", "#5a4fa0", "#9a7cc4", "#4d6fb0"])
    for hill, count, colours in (
        (hill_left > 0, 22, ["#2f9a56", "#6fb84a", "#1f7a4a", "#9acb4f"]),
        (hill_right > 0, 22, ["#1f8a6a", "#4fae5a", "#156a52", "#b7d155"]),
    ):
        put(hill, _cells(sheet, rng, hill, count, 1.5), colours)
    water = (river > 0) & (hill_far > 0.05)
    put(water, _cells(sheet, rng, water, 20, 2.6), ["#8fdcea", "#4fb8d8", "#c4eef0", "#2f98c8"])

    for fx, fy, size in ((0.205, 0.640, 0.125), (0.345, 0.800, 0.082)):
        stem, _ = segment(x, y, (fx + 0.02, 1.02), (fx, fy))
        put(stem < 0.011, np.zeros(int((stem < 0.011).sum()), np.int32), ["#0f6a3a"])
        for side in (-1, 1):
            leaf_t = np.clip((y - fy - size * 1.25) / (size * 1.5), 0, 1)
            bow = side * (x - fx - 0.012)
            leaf = (bow > 0.006) & (bow < 0.62 * size * np.sin(np.pi * leaf_t))
            put(leaf, np.zeros(int(leaf.sum()), np.int32), ["#3fae4f" if side < 0 else "#7cc44a"])
        radius, angle = np.hypot(x - fx, y - fy), np.arctan2(y - fy, x - fx)
        petals = np.floor((angle + np.pi) / (2 * np.pi) * 6 + 0.25).astype(np.int32) % 6
        bloom = radius < size * (0.84 + 0.16 * np.abs(np.cos((angle + np.pi + np.pi / 12 * 5) * 3)))
        put(bloom, petals[bloom], ["#d8202f", "#f0433a", "#b8122f"], "turns")
        inner = radius < size * 0.50
        put(inner, petals[inner], ["#f4683a", "#e8382f", "#f98a4a"], "turns")
        heart = radius < size * 0.22
        put(heart, np.zeros(int(heart.sum()), np.int32), ["#ffd23a"])

    edge = np.minimum(np.minimum(x, 1 - x), np.minimum(y, 1 - y))
    border = edge < 0.052
    along = np.where((y < 0.052) | (y > 1 - 0.052), x, y)
    side_number = np.select(
        [y < np.minimum(np.minimum(x, 1 - x), 1 - y), y > np.maximum(np.maximum(x, 1 - x), 1 - y), x < 0.5],
        [0, 1, 2],
        3,
    )
    label = (side_number * 100 + np.floor(along * 11)).astype(np.int32)
    put(border, label[border], ["#7a1f4a", "#e0a030", "#3a2f80", "#b02a3a"], "turns")
    return pieces, glass


def paint(seed: int = 3, size: int = 768) -> Image.Image:
    """The window, made half as large again and reduced."""
    rng = np.random.default_rng(seed)
    sheet = Canvas(size * 3 // 2, size * 3 // 2)
    pieces, glass = _design(sheet, rng)
    seam = np.zeros(pieces.shape, bool)
    seam[:-1] |= pieces[:-1] != pieces[1:]
    seam[:, :-1] |= pieces[:, :-1] != pieces[:, 1:]
    seam |= pieces < 0
    gap = blur(distance(seam, 60), 1.2) / sheet.height

    colour = np.stack([rgb(code) for code in glass])[np.maximum(pieces, 0)]
    shift = rng.normal(0, 1, (len(glass), 2))[np.maximum(pieces, 0)]
    lamp = np.exp(-(((sheet.x - 0.5) / 0.55) ** 2 + ((sheet.y - 0.38) / 0.55) ** 2))
    streak_a, streak_b = sheet.noise(rng, 0.030, 4, 6.0), sheet.noise(rng, 0.16, 4, 0.35)
    swirl = np.where(shift[..., 0] > 0, streak_a, streak_b)
    ripple = light(sheet.noise(rng, 0.020, 3) * 3.0, 1.0)[0]
    glow = (
        0.60
        + 0.42 * lamp
        + 0.07 * shift[..., 1]
        + 0.17 * swirl
        + 0.10 * (ripple - 1)
        + 0.22 * np.clip(gap / 0.03, 0, 1)
        - 0.15
    )
    colour = colour * glow[..., None] + (0.16 * lamp * np.clip(swirl + 0.6, 0, 2) * np.clip(gap / 0.02, 0, 1))[
        ..., None
    ] * (0.35 + colour)
    specks = (sheet.noise(rng, 0.006, 1) > 1.12) & (gap > 0.008)
    colour = colour * (1 + 0.30 * blur(specks.astype(np.float32), 0.8)[..., None])

    came = 0.0068
    lead = sheet.soft((came - gap), 1.5)
    shadow = 1 - 0.45 * np.exp(-(((gap - came) / 0.006) ** 2)) * (gap > came)
    round_top = np.sqrt(np.clip(1 - (gap / came) ** 2, 0, 1))
    diffuse, gloss = light(round_top * 9 + 0.5 * sheet.noise(rng, 0.01, 3), 1.0)
    metal = np.array([0.10, 0.10, 0.115]) * (0.55 + 0.6 * np.clip(diffuse, 0, 2))[..., None] + 0.28 * gloss[..., None]
    window = colour * shadow[..., None] * (1 - lead[..., None]) + metal * lead[..., None]
    bloom = blur(np.clip(window - 0.62, 0, 1), 14) * 0.75 + blur(window, 5) * 0.06
    return finish(window + bloom, (size, size))
