"""Pointillism: dots of unmixed pigment that the eye mixes; sails in a harbour at sunset."""

import numpy as np
from PIL import Image

from atelier.canvas import Canvas, Field, blur, finish, light, ramp, rgb, segment, smoothstep

PIGMENTS = (
    "#fdf6dc", "#fbe36a", "#f7b52c", "#ef7f2a", "#e2492f", "#c92a52", "#e88fa6", "#f5c6b8", "#8f4fa6", "#5a3f9a",
    "#2c3f9a", "#2f6fc4", "#6fb3e0", "#bfe0ea", "#1f7f86", "#3fae8a", "#8fc45a", "#2a5f3a", "#1c2450", "#6a2f3a",
)  # fmt: skip


def _harbour(sheet: Canvas, rng: np.random.Generator) -> tuple[Field, Field]:
    """Colours (H, W, 3) to be mixed by the dots, and their fineness 0..1: 1 where the drawing needs small dots."""
    x, y = sheet.x, sheet.y
    air = sheet.noise(rng, 0.30, 4, 2.0)
    sun_x, sun_y, line = 0.60, 0.375, 0.50
    far = np.hypot(x - sun_x, y - sun_y)
    tone = 1 - y / line + 0.10 * air - 0.35 * np.exp(-((far / 0.30) ** 2)) + 0.12
    colour = ramp(tone, ("#fff0b4", "#fbd77a", "#f6a96a", "#e68a8f", "#a98bbf", "#6f8fcc", "#3f6fb8"))
    puffs = smoothstep(0.45, 1.1, sheet.noise(rng, 0.16, 4, 3.0)) * smoothstep(0.45, 0.15, y)
    colour += (rgb("#f7c2b4") - colour) * (0.75 * puffs)[..., None]
    colour[far < 0.062] = rgb("#fff8d0")
    fine = np.zeros_like(x)

    hills = (
        0.455
        - 0.050 * np.exp(-(((x - 0.14) / 0.16) ** 2))
        - 0.030 * np.sin(7 * x + 2) * (x > 0.3)
        - 0.02 * np.exp(-(((x - 0.92) / 0.1) ** 2))
    )
    land = (y > hills) & (y < line)
    colour[land] = ramp(((y - hills) / 0.08), ("#5f5a9e", "#7f6aa6", "#b07a96"))[land]

    depth = np.clip((y - line) / (1 - line), 1e-3, 1)
    ripple = np.sin(np.log(depth + 0.05) * 24 + 9 * x + 2.5 * air) * (0.35 + 0.65 * depth)
    sea = ramp(
        (0.10 + 0.80 * depth + 0.20 * ripple),
        ("#f6c38a", "#d99aa0", "#8f8fc4", "#3f7fbf", "#1f5f9a", "#1a3f7a"),
    )
    glade = np.exp(-(((x - sun_x) / (0.035 + 0.10 * depth)) ** 2)) * smoothstep(-0.5, 0.5, ripple)
    sea += (rgb("#ffdf7a") - sea) * (0.92 * glade)[..., None]
    colour[y >= line] = sea[y >= line]

    boats = (
        (0.245, 0.735, 0.44, "#fdf0d8", "#d8492f"),
        (0.800, 0.610, 0.24, "#f3b0a0", "#8f3f6a"),
        (0.475, 0.535, 0.10, "#fbe6c8", "#b0607a"),
    )
    for cx, foot, size, main, jib in boats:
        u, v = (x - cx) / size, (foot - y) / size
        hull = (np.abs(u) < 0.26 - 0.55 * np.clip(0.06 - v, 0, 1)) & (v < 0.075 + 0.5 * u * u) & (v > -0.035)
        sail_a = (u > 0.012) & (v > 0.12) & (u < 0.30 * (1.02 - v) * (1 + 0.25 * np.sin(np.pi * v)))
        sail_b = (u < -0.012) & (v > 0.12) & (-u < 0.24 * (0.86 - v) * (1 + 0.15 * np.sin(np.pi * v)))
        shade = 0.72 + 0.40 * np.clip(u + 0.4 + 0.25 * v, 0, 1)
        for part, tint in ((sail_a, main), (sail_b, jib)):
            colour[part] = (rgb(tint) * shade[..., None])[part]
            mirrored = (y > foot) & (
                np.abs((x - cx + 0.015 * ripple) / size - (0.10 if part is sail_a else -0.08))
                < 0.12 * (1 - (y - foot) / (0.55 * size))
            )
            pale = colour * 0.45 + rgb(tint) * 0.55
            wet = mirrored & (ripple > -0.25) & ~hull
            colour[wet] = pale[wet]
        colour[hull] = rgb("#3a2350") if size > 0.3 else rgb("#4a3060")
        mast, _ = segment(x, y, (cx, foot), (cx, foot - size * 1.06))
        colour[mast < 0.0045] = rgb("#4a2a3a")
        fine += np.exp(-((np.abs(u) / 0.32) ** 4 + (np.abs(v - 0.45) / 0.62) ** 4))

    quay = 0.945 - 0.03 * x + 0.006 * np.sin(20 * x)
    stones = y > quay
    colour[stones] = ramp((0.5 + 0.5 * np.sin(33 * x + 8 * air)), ("#3a2a5a", "#6a4a6a", "#b0744a"))[stones]
    return np.clip(colour, 0, 1), np.clip(fine, 0, 1)


def paint(seed: int = 6, size: int = 768) -> Image.Image:
    """The picture, dotted at half as large again and reduced."""
    rng = np.random.default_rng(seed)
    sheet = Canvas(size * 3 // 2, size * 3 // 2)
    scene, fine = _harbour(sheet, rng)
    pigments = np.stack([rgb(code) for code in PIGMENTS])
    picture = sheet.fill("#e9dcc0") * 0.6 + blur(scene, 6) * 0.4
    relief = np.zeros(fine.shape, np.float32)
    for radius, keep in ((8.5, 0.0), (6.5, 0.0), (5.2, 0.0), (3.8, 0.35)):
        gap = radius * 1.55
        gx, gy = np.meshgrid(np.arange(0, sheet.width, gap), np.arange(0, sheet.height, gap))
        spots = np.stack([gx.ravel(), gy.ravel()], axis=-1) + rng.uniform(-0.55, 0.55, (gx.size, 2)) * gap
        spots = np.clip(rng.permutation(spots), 0, sheet.height - 1)
        seen = scene[spots[:, 1].astype(int), spots[:, 0].astype(int)]
        detail = fine[spots[:, 1].astype(int), spots[:, 0].astype(int)]
        wanted = seen + rng.normal(0, 0.13, seen.shape)
        accent = rng.random(len(seen)) < 0.07
        wanted[accent] = 2 * wanted[accent].mean(-1, keepdims=True) - wanted[accent]
        nearest = pigments[np.argmin(((wanted[:, None] - pigments[None]) ** 2).sum(-1), axis=1)]
        dots = (0.68 * nearest + 0.32 * seen) * rng.normal(1, 0.04, (len(seen), 1))
        reach = int(radius) + 2
        box_y, box_x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
        for (cx, cy), dot, sharp in zip(spots, dots, detail, strict=True):
            if sharp < keep:
                continue
            ix, iy = int(cx), int(cy)
            top, left = max(iy - reach, 0), max(ix - reach, 0)
            window = np.s_[top : iy + reach + 1, left : ix + reach + 1]
            part = np.s_[top - iy + reach :, left - ix + reach :]
            height, width = relief[window].shape
            gap_here = np.hypot(box_x[part][:height, :width] * 0.92, box_y[part][:height, :width] * 1.05) / (
                radius * (0.88 + 0.2 * ((ix * 7 + iy * 13) % 10) / 10)
            )
            cover = np.clip((1 - gap_here) * radius * 0.9, 0, 1)
            picture[window] += (dot - picture[window]) * (cover * 0.95)[..., None]
            relief[window] = relief[window] * (1 - cover) + cover * np.sqrt(np.clip(1.02 - gap_here**2, 0, 1))
    diffuse, gloss = light(blur(relief, 0.8) * 2.2 + 0.12 * sheet.noise(rng, 0.006, 2), 0.55)
    picture = picture * (0.45 + 0.55 * diffuse)[..., None] + 0.07 * gloss[..., None]
    return finish(picture, (size, size))
