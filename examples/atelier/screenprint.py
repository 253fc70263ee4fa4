"""A screen print: five flat inks, halftone dots, plates a hair out of register; a desert evening with cacti."""

import numpy as np
from PIL import Image

from atelier.canvas import Canvas, Field, finish, rgb, segment, smoothstep


def _halftone(sheet: Canvas, tone: Field, angle: float, pitch: float) -> Field:
    """Round dots on a grid turned by ``angle`` radians, ``pitch`` heights apart, covering ``tone`` of the paper."""
    u = (sheet.x * np.cos(angle) + sheet.y * np.sin(angle)) / pitch
    v = (sheet.y * np.cos(angle) - sheet.x * np.sin(angle)) / pitch
    far = np.hypot(u - np.rint(u), v - np.rint(v))
    radius = np.sqrt(np.clip(tone, 0, 1) / np.pi) * np.where(tone > 0.78, 1 + (tone - 0.78) * 2.4, 1)
    return sheet.soft(((radius - far) * pitch), 1.5) * (tone > 0.02)


def _cactus(x: Field, y: Field, at: tuple[float, float], size: float) -> Field:
    """Signed shape of a saguaro whose foot is at ``at``."""
    cx, cy = at
    parts = [((cx, cy + 0.2 * size), (cx, cy - size), 0.105)]
    for side, low, tip, reach in ((-1, 0.42, 0.80, 0.30), (1, 0.55, 0.98, 0.27)):
        elbow = cx + side * reach * size
        parts += [
            ((cx, cy - low * size), (elbow, cy - (low + 0.02) * size), 0.062),
            ((elbow, cy - low * size), (elbow, cy - tip * size), 0.070),
        ]
    inside = np.full_like(x, -1)
    for start, end, width in parts:
        inside = np.maximum(inside, width * size - segment(x, y, start, end)[0])
    return inside


def paint(seed: int = 8, size: int = 768) -> Image.Image:
    """The print, pulled at twice the size and reduced."""
    rng = np.random.default_rng(seed)
    sheet = Canvas(size * 2, size * 2)
    x, y = sheet.x, sheet.y
    rough = 0.0012 * sheet.noise(rng, 0.012, 2)
    margin = np.minimum(np.minimum(x, 1 - x), np.minimum(y, 1 - y)) - 0.040 + 0.5 * rough
    sun_x, sun_y, sun_r = 0.58, 0.36, 0.215
    far = np.hypot(x - sun_x, y - sun_y)
    stripe = np.abs(((y - sun_y) * 19) % 1 - 0.5) < 0.5 - 0.42 * smoothstep(-0.03, 0.22, (y - sun_y))
    sun = sheet.soft(sun_r - far + rough) * stripe

    mesa = (
        0.60
        - 0.13 * smoothstep(0.10, 0.125, x) * smoothstep(0.335, 0.30, x)
        - 0.045 * smoothstep(0.02, 0.06, x) * smoothstep(0.42, 0.38, x)
    )
    mesa = (
        mesa
        - 0.085 * smoothstep(0.70, 0.72, x) * smoothstep(0.93, 0.90, x)
        - 0.05 * smoothstep(0.655, 0.68, x) * smoothstep(1.02, 0.99, x)
        + 0.006 * np.sin(60 * x)
    )
    dune_a = 0.665 + 0.035 * np.sin(5.2 * x + 0.5)
    dune_b = 0.775 - 0.075 * np.sin(4.1 * x - 0.4)
    dune_c = 0.905 + 0.050 * np.sin(5.0 * x + 2.4)
    cacti = [((0.215, 0.90), 0.40), ((0.815, 0.735), 0.17), ((0.435, 0.672), 0.085)]
    cactus = np.full_like(x, -1)
    ribs = np.zeros_like(x)
    for at, tall in cacti:
        shape = _cactus(x, y, at, tall)
        ribs = np.where(shape > 0, np.sin((x - at[0]) / tall * 150), ribs)
        cactus = np.maximum(cactus, shape)

    rays = np.floor((np.arctan2(y - sun_y, x - sun_x) / (2 * np.pi) * 36) % 2)
    sky = smoothstep(0.72, 0.05, y)
    yellow = np.maximum(1.0 - 0 * x, 0) * (0.0 + (y < 0.70))
    orange = np.maximum(
        _halftone(
            sheet,
            (0.72 * smoothstep(0.62, 0.0, y) + 0.14 * rays * (far > sun_r + 0.03)),
            0.26,
            0.0125,
        )
        * (y < mesa),
        0,
    )
    sand = (y > dune_a).astype(np.float32)
    teal = (
        _halftone(sheet, (0.95 * sky**2.2 - 0.7 * np.exp(-((far / 0.26) ** 2))), 1.05, 0.0125)
        * (y < mesa)
        * (far > sun_r)
    )
    cliffs = sheet.soft(np.minimum(y - mesa, dune_a - y))
    strata = (np.sin((y + 0.004 * np.sin(31 * x)) * 330) > 0.25) | (np.sin(90 * x + 3 * np.sin(40 * y)) > 0.72)
    magenta = np.maximum(sun, cliffs)
    magenta = np.maximum(
        magenta,
        _halftone(sheet, (0.85 * smoothstep(0.0, 0.13, (y - dune_b))), 0.78, 0.0110) * (y > dune_b) * (y < dune_c),
    )
    magenta = np.maximum(magenta, sheet.soft(y - dune_c))
    orange = np.maximum(orange, sheet.soft(y - dune_b))
    orange = np.maximum(
        orange,
        _halftone(sheet, (0.70 * smoothstep(0.02, 0.12, (y - dune_a))), 0.26, 0.0110) * (y > dune_a),
    )
    yellow = np.maximum(yellow, sand)
    plant = sheet.soft(cactus + rough)
    navy = np.maximum(cliffs * strata * sheet.soft(y - mesa - 0.008) * (np.sin(7 * x + 20 * y) > -0.55), 0)
    lit = (ribs > 0.15) & (cactus > 0.004)
    ripple = np.abs((y - dune_c) * 26 + 0.35 * np.sin(13 * x) + 0.12 * np.sin(31 * x)) % 1
    navy = np.maximum(navy, (y > dune_c + 0.012) * (ripple < 0.30 + 0.15 * np.sin(9 * x)))
    ground = np.zeros_like(x)
    for (cx, cy), tall in cacti:
        ground = np.maximum(
            ground,
            sheet.soft(0.020 * tall / 0.4 - np.hypot((x - cx - 0.35 * tall) / 11, y - cy - 0.01)),
        )
    navy = np.maximum(navy, ground)
    for bx, by, span in ((0.33, 0.16, 0.030), (0.385, 0.125, 0.022), (0.285, 0.205, 0.018)):
        wing = np.abs(y - by + 0.55 * span * np.sin(np.clip(np.abs(x - bx) / span, 0, 1) * 2.6)) - 0.0035 * (
            1 - np.abs(x - bx) / span
        )
        navy = np.maximum(navy, sheet.soft(-wing) * (np.abs(x - bx) < span))
    knock = 1 - plant
    teal = np.maximum(teal * knock, plant)
    navy = np.maximum(navy * knock, plant * np.where(lit, 0, 1))
    magenta, orange = magenta * knock, orange * knock

    paper = sheet.fill("#f6ecd6") * (1 + 0.015 * sheet.noise(rng, 0.01, 3))[..., None]
    picture = paper
    plates = (
        (yellow, "#fdd25a", (0, 0)),
        (orange, "#f58a4a", (3, -2)),
        (magenta, "#e0456f", (-3, 2)),
        (teal, "#2fa8a8", (2, 4)),
        (navy, "#23285e", (-1, -1)),
    )
    for plate, ink, (right, down) in plates:
        frame = sheet.soft((margin + 0.0015 * rng.normal()), 2)
        worn = (
            1
            - 0.55 * smoothstep(1.15, 1.7, sheet.noise(rng, 0.008, 3))
            - 0.05 * np.clip(sheet.noise(rng, 0.25, 3), 0, 1)
        )
        cover = np.roll(plate * frame, (down, right), (0, 1)) * worn
        tint = rgb(ink) if ink in ("#fdd25a", "#23285e") else rgb(ink) * 0.98 + 0.02
        picture = picture * (1 - cover[..., None]) + (picture * 0.30 + 0.70) * tint * cover[..., None]
    return finish(picture, (size, size))
