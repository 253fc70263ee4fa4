"""A mosaic: hand-cut stones in rows that follow the drawing; two fish under a gold sun.

The rows come from Hausner, "Simulating decorative mosaics", SIGGRAPH 2001: squares turned along a field of
directions settle, by Lloyd's method in their own square metric, until they fill the plane side by side.
"""

import numpy as np
import numpy.typing as npt
from PIL import Image

from atelier.canvas import Canvas, Field, Rng, blur, distance, finish, light, ramp, rgb

Ints = npt.NDArray[np.int32]


def _fish(x: Field, y: Field, at: tuple[float, float], size: float, face: float) -> tuple[Field, Field, Field, Field]:
    """Signed body and fins (heights, positive inside), place along the body 0..1 from the snout, and across -1..1."""
    u = face * (x - at[0]) / size
    v = (y - at[1]) / size - 0.10 * np.sin(3.2 * u + 0.4)
    t = np.clip(u + 0.5, 0, 1)
    half = 0.235 * np.clip(np.sin(np.pi * t**0.72), 0, 1) ** 0.85 + 0.022
    body = np.minimum(half - np.abs(v), np.minimum(u + 0.5, 0.47 - u))
    tail = np.minimum(np.minimum(0.04 + 0.85 * (u - 0.42) - np.abs(v), 0.60 + 0.45 * np.abs(v) - u), 0.23 - np.abs(v))
    back = np.minimum(np.minimum(0.20 + half - 0.9 * np.abs(u - 0.02) - np.abs(v), -v), 0.13 + half * 0.75 - np.abs(v))
    belly = np.minimum(np.minimum(0.15 + half - 1.6 * np.abs(u - 0.14) - np.abs(v), v), 0.09 + half - np.abs(v))
    fins = np.maximum(np.maximum(tail, back), belly)
    return (
        (body * size),
        (fins * size),
        t,
        (v / half),
    )


def _cartoon(sheet: Canvas) -> tuple[Field, Ints, Field]:
    """The drawing under the stones: colours (H, W, 3), region numbers, and the direction of the rows in radians."""
    x, y = sheet.x, sheet.y
    far, turn = np.hypot(x - 0.5, y - 0.30), np.arctan2(y - 0.30, x - 0.5)
    sea_line = 0.40 + 0.022 * np.sin(17 * x) + 0.01 * np.sin(37 * x + 1)
    swell = y + 0.020 * np.sin(15 * x + 9 * y) + 0.012 * np.sin(27 * x - 14 * y)
    band = np.floor((swell - 0.40) / 0.062).astype(np.int32)

    region = np.zeros(x.shape, np.int32)
    rays = np.floor((turn + np.pi) / (2 * np.pi) * 32).astype(np.int32) % 2
    colour = ramp((0.65 - 0.9 * (far - 0.15)), ("#9a6a22", "#cf9a35", "#ecc661", "#f8e4a0"))
    ray = (rays == 1) & (far > 0.20) & (far < 0.36)
    colour[ray], region[ray] = rgb("#d8552e"), 1
    for radius, tint, number in ((0.185, "#b5382a", 2), (0.165, "#f3d98a", 3), (0.105, "#f2a93c", 4)):
        disc = far < radius
        colour[disc], region[disc] = rgb(tint), number
    sea = y > sea_line
    region[sea] = 10 + band[sea]
    tints = np.stack(
        [
            rgb(code)
            for code in (
                "#bfe6dc",
                "#2a8fae",
                "#1a5f96",
                "#3fb0b4",
                "#17407c",
                "#2a7fb0",
                "#0f2f66",
                "#1f6f8f",
                "#0d2855",
                "#174a80",
            )
        ]
    )
    colour[sea] = tints[np.clip(band[sea], 0, 9)]
    angle = np.where(
        sea, np.arctan(np.gradient(-swell, axis=1) / np.maximum(np.gradient(swell, axis=0), 1e-3)), turn + np.pi / 2
    )

    plans = (
        ((0.40, 0.575), 0.50, 1.0, ("#fbe9c8", "#f2a650", "#d9532c", "#8f1f2a"), "#e8b83f"),
        ((0.625, 0.845), 0.36, -1.0, ("#f4f0d4", "#d8cf6a", "#7fae4a", "#2f6f4f"), "#e06a3a"),
    )
    for index, (at, size, face, scales, fin_tint) in enumerate(plans):
        body, fins, t, v = _fish(x, y, at, size, face)
        number = 40 + 10 * index
        outline = (np.maximum(body, fins) > -0.012) & (np.maximum(body, fins) <= 0)
        colour[outline], region[outline] = rgb("#10203c"), number
        inside = fins > 0
        stripe = np.floor(t * 46 + np.abs(v) * 2).astype(np.int32) % 2
        colour[inside], region[inside] = (rgb(fin_tint) * (0.72 + 0.38 * stripe[..., None]))[inside], number + 1
        flesh = body > 0
        checks = 0.16 * np.sign(np.sin(58 * t) * np.sin(15 * v))
        hue = ramp((0.48 - 0.42 * v + checks), scales)
        colour[flesh], region[flesh] = hue[flesh], number + 2
        head = flesh & (t < 0.235 + 0.03 * (1 - v * v))
        colour[head] = ramp((0.30 - 0.35 * v), scales)[head]
        gill = flesh & (np.abs(t - 0.245 - 0.03 * (1 - v * v)) < 0.022)
        region[head], region[gill] = number + 3, number + 4
        colour[gill] = rgb("#7a1f28") if index == 0 else rgb("#1f4a3a")
        eye = np.hypot(x - at[0] + face * 0.375 * size, y - at[1] + size * 0.125)
        for radius, tint, offset in ((0.050, "#fdf6e0", 5), (0.024, "#141018", 6)):
            spot = eye < radius * size * 1.25
            colour[spot], region[spot] = rgb(tint), number + offset

    edge = np.minimum(np.minimum(x, 1 - x), np.minimum(y, 1 - y))
    for width, tint, number in ((0.060, "#efe2c2", 90), (0.044, "#8e2f2a", 91), (0.017, "#efe2c2", 92)):
        frame = edge < width
        colour[frame], region[frame] = rgb(tint), number
    diamonds = (
        (np.abs((np.where(np.minimum(y, 1 - y) < np.minimum(x, 1 - x), x, y) * 16) % 1 - 0.5) < 0.22)
        & (edge > 0.017)
        & (edge < 0.044)
    )
    colour[diamonds] = rgb("#e2b04a")
    return colour, region, angle


def _claim(angle: Field, centres: Field, reach: int) -> tuple[Ints, Field, Field]:
    """Per pixel: its stone, the distance to it in the stone's own turned square metric, and to the next nearest."""
    height, width = angle.shape
    owner = np.full((height + 2 * reach + 2, width + 2 * reach + 2), -1, np.int32)
    first = np.full(owner.shape, 1e9, np.float32)
    second = first.copy()
    box_y, box_x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    for number, (cx, cy) in enumerate(centres):
        ix, iy = int(np.clip(cx, 0, width - 1)), int(np.clip(cy, 0, height - 1))
        cos, sin = np.cos(angle[iy, ix]), np.sin(angle[iy, ix])
        dx, dy = box_x + (ix + 0.5 - cx), box_y + (iy + 0.5 - cy)
        gap = np.maximum(np.abs(dx * cos + dy * sin), np.abs(dy * cos - dx * sin))
        window = np.s_[iy : iy + 2 * reach + 1, ix : ix + 2 * reach + 1]
        nearer = gap < first[window]
        second[window] = np.where(nearer, first[window], np.minimum(second[window], gap))
        first[window] = np.where(nearer, gap, first[window])
        owner[window] = np.where(nearer, number, owner[window])
    inner = np.s_[reach : reach + height, reach : reach + width]
    return owner[inner], first[inner], second[inner]


def _settle(angle: Field, seams: npt.NDArray[np.bool_], pitch: float, rounds: int, rng: Rng) -> Field:
    """Centres (N, 2) of the stones after ``rounds`` of Lloyd's method; pixels on ``seams`` push stones off."""
    height, width = angle.shape
    gx, gy = np.meshgrid(np.arange(pitch / 2, width, pitch), np.arange(pitch / 2, height, pitch))
    centres = np.stack([gx.ravel(), gy.ravel()], axis=-1) + rng.uniform(-0.4, 0.4, (gx.size, 2)) * pitch
    for _ in range(rounds):
        owner = _claim(angle, centres, int(pitch * 1.6))[0]
        rows, columns = np.nonzero(~seams & (owner >= 0))
        mine = owner[rows, columns]
        weight = np.bincount(mine, minlength=len(centres))
        sums = [np.bincount(mine, place + 0.5, len(centres)) for place in (columns, rows)]
        alive = weight > 0
        centres = np.stack(sums, axis=-1)[alive] / weight[alive, None]
    return centres


def paint(seed: int = 4, size: int = 768) -> Image.Image:
    """The mosaic, laid at half as large again and reduced."""
    rng = np.random.default_rng(seed)
    sheet = Canvas(size * 3 // 2, size * 3 // 2)
    colour, region, flow = _cartoon(sheet)
    border = np.zeros(region.shape, bool)
    border[:-1] |= region[:-1] != region[1:]
    border[:, :-1] |= region[:, :-1] != region[:, 1:]
    gap = blur(distance(border, 90), 4)
    down, right = np.gradient(gap)
    rows_angle = np.arctan2(down, right) + np.pi / 2
    near = np.clip(1.6 - gap / 40, 0, 1)
    double = (1 - near) * np.exp(2j * flow) + near * np.exp(2j * rows_angle)
    angle = np.angle(blur(double.real, 3) + 1j * blur(double.imag, 3)) / 2

    pitch = 15.5
    centres = _settle(angle, distance(border, 4) < 1.5, pitch, 13, rng)
    owner, first, second = _claim(angle, centres, int(pitch * 1.6))
    home = np.clip(centres.astype(int), 0, sheet.height - 1)
    stones = colour[home[:, 1], home[:, 0]]
    count = len(stones)
    stones = stones * rng.normal(1, 0.10, (count, 1)) + rng.normal(0, 0.022, (count, 3))
    odd = rng.random(count) < 0.06
    stones[odd] = stones[odd] * 0.55 + 0.45 * stones[rng.permutation(count)[: odd.sum()]]
    golden = (stones[:, 0] > stones[:, 2] + 0.30) & (stones[:, 1] > 0.45)
    tilt = rng.normal(0, 1, (count, 2)) * np.where(golden, 1.5, 0.9)[:, None]

    index = np.maximum(owner, 0)
    mortar = np.minimum(second - first, (pitch * 0.56 - first) * 2)
    chipped = mortar + 0.8 * sheet.noise(rng, 0.010, 3) - 1.9
    stone = np.clip(chipped / 1.6 + 0.5, 0, 1)
    px, py = sheet.x * sheet.height - centres[index, 0], sheet.y * sheet.height - centres[index, 1]
    slope = (px * tilt[index, 0] + py * tilt[index, 1]) / pitch
    rounded = np.clip(chipped / 3.2, 0, 1) ** 0.6
    relief = blur((rounded * 2.6 + slope * 1.1 + 0.28 * sheet.noise(rng, 0.008, 3)), 0.7)
    diffuse, gloss = light(relief, 0.9)
    face = stones[index] * (1 + 0.05 * sheet.noise(rng, 0.012, 4))[..., None]
    shine = gloss * np.where(golden, 0.42, 0.20)[index]
    lit = face * (0.42 + 0.58 * diffuse)[..., None] + shine[..., None]
    grout = rgb("#5d5348") * (0.72 + 0.16 * sheet.noise(rng, 0.006, 2))[..., None]
    shade = blur(1 - stone, 2.0)
    picture = grout * (1 - stone[..., None]) + lit * stone[..., None]
    picture *= (1.04 - 0.22 * shade * stone)[..., None]
    return finish(picture, (size, size))
