"""A woodcut: lines whose width is the tone, one black block and one red plate on cream paper; a bay, a pine, a sail."""

import numpy as np
from PIL import Image

from atelier.canvas import Canvas, Field, Rng, blur, finish, mix, rgb, segment, smoothstep


def _hatch(phase: Field, tone: Field) -> Field:
    """Ink 0..1 of lines at whole numbers of ``phase``, as wide as ``tone`` (0 white, 1 black) asks."""
    tooth = np.abs(phase - np.rint(phase)) * 2
    down, right = np.gradient(phase)
    slope = np.maximum(np.hypot(down, right) * 2, 1e-4)
    ink: Field = np.clip((tone - tooth) / slope + 0.5, 0, 1)
    return ink


def _outline(sheet: Canvas, signed: Field, width: Field | float) -> Field:
    """A contour of the cutter along ``signed`` = 0, ``width`` heights wide."""
    return sheet.soft((width - np.abs(signed)), 1.5)


class _Block:
    """The black block: parts laid front over back, each clearing what lies under it."""

    def __init__(self, sheet: Canvas, rng: Rng) -> None:
        self.sheet, self.rng = sheet, rng
        self.x, self.y = sheet.x, sheet.y
        self.wobble = sheet.noise(rng, 0.05, 3)
        self.slow = sheet.noise(rng, 0.30, 3)
        self.ink = np.zeros_like(self.x)
        self.land = np.zeros_like(self.x)

    def lay(self, inside: Field, ink: Field) -> None:
        """Put a part with silhouette ``inside`` (heights, positive inside) over what is there."""
        cover = self.sheet.soft(inside, 1.5)
        self.ink = self.ink * (1 - cover) + np.clip(ink, 0, 1) * cover

    def line(self, ink: Field) -> None:
        """Add black without clearing."""
        self.ink = np.maximum(self.ink, ink)


SUN = (0.395, 0.255, 0.118)


def _sky(block: _Block) -> None:
    x, y = block.x, block.y
    far = np.hypot(x - SUN[0], y - SUN[1])
    bulge = 0.030 * np.exp(-((far / 0.20) ** 2)) * np.sign(y - SUN[1]) * smoothstep(0, 0.05, np.abs(y - SUN[1]))
    phase = (y + bulge + 0.0035 * np.sin(11 * x + 5 * y) + 0.0016 * block.wobble) * 74
    streaks = 0.20 * np.sin(9 * x + 40 * y + 4 * block.slow)
    tone = 0.78 - 1.15 * y + streaks + 0.15 * block.slow - 0.8 * np.exp(-((far / 0.165) ** 4))
    block.ink = _hatch(phase, np.clip(tone, 0, 0.93))
    cloud = 0.022 * np.sin(13 * x + 1.2) + 0.012 * np.sin(29 * x) + 0.006 * block.wobble
    for level, left, right in ((0.135, -0.1, 0.30), (0.345, 0.36, 0.75), (0.395, 0.10, 0.46)):
        ends = smoothstep(left, left + 0.08, x) * (1 - smoothstep(right - 0.08, right, x))
        body = (0.024 + 0.6 * cloud) * ends - np.abs(y - level + 0.3 * (y > level) * (y - level)) - 0.002
        block.lay(
            body,
            np.maximum(
                _outline(block.sheet, body, 0.0022),
                _hatch((y * 130), np.clip((y - level) * 22, 0, 0.7)),
            ),
        )


def _mountains(block: _Block) -> None:
    x, y, sheet = block.x, block.y, block.sheet
    for peak_x, peak_y, spread, base in ((0.52, 0.385, 0.62, 0.58), (0.13, 0.33, 0.82, 0.60)):
        fold = 0.030 * np.sin(17 * y + 3 * peak_x) + 0.020 * np.sin(41 * y) + 0.010 * block.wobble
        side = x - peak_x - fold * smoothstep(peak_y, peak_y + 0.1, y)
        ridge = (
            peak_y
            + np.abs(x - peak_x) * spread
            + 0.013 * np.sin(33 * x)
            + 0.008 * np.sin(71 * x + 1)
            + 0.003 * block.wobble
        )
        body = np.minimum(y - ridge, base - y)
        spur = np.sin((x - peak_x) * 30 + 6 * (y - peak_y) * np.sign(side) + 2 * block.slow)
        tone = np.where(side < 0, 0.62 + 0.38 * spur, 0.02 + 0.50 * np.clip(spur, 0, 1)) * (1.1 - 1.9 * (y - peak_y))
        phase = (side + 0.55 * (y - peak_y) * np.sign(side)) * 88 + 0.25 * block.wobble
        ink = _hatch(phase, np.clip(tone, 0, 0.95))
        block.lay(body, np.maximum(ink, _outline(sheet, (y - ridge), 0.0030)))


def _sea(block: _Block) -> None:
    x, y, sheet = block.x, block.y, block.sheet
    depth = np.clip((y - 0.565) / 0.435, 1e-3, 1)
    near = np.log(depth + 0.06)
    swell = (
        0.20 * np.sin(16 * x / (0.35 + depth) + 7 * near)
        + 0.10 * np.sin(31 * x / (0.4 + depth) - 9 * near)
        + 0.05 * block.wobble
    )
    phase = near * 13 + swell * (0.5 + depth)
    crest = np.sin(19 * x / (0.3 + depth) + 11 * near + 3 * block.slow) * np.sin(8 * near + 3 * x)
    glade = np.exp(-(((x - SUN[0]) / (0.05 + 0.07 * depth)) ** 2))
    tone = 0.50 + 0.38 * crest + 0.15 * depth - 0.55 * glade
    ink = _hatch(phase, np.clip(tone, 0.06, 0.92))
    block.lay((y - 0.565), np.maximum(ink, _outline(sheet, (y - 0.565), 0.0018)))


def _boat(block: _Block) -> None:
    x, y, sheet = block.x, block.y, block.sheet
    cx, cy = 0.455, 0.650
    deck = y - cy + 2.4 * (x - cx) ** 2
    hull = np.minimum(np.minimum(0.058 - np.abs(x - cx) - 0.9 * np.maximum(y - cy, 0), deck), cy + 0.017 - y).astype(
        np.float32
    )
    block.lay(hull, np.ones_like(x))
    belly = 0.030 * np.sin(np.clip((y - cy + 0.125) / 0.12, 0, 1) * np.pi) * 0.7
    sail = np.minimum(np.minimum(x - cx + 0.005, (y - cy + 0.125) * 0.42 + belly - (x - cx)), cy - 0.008 - y).astype(
        np.float32
    )
    ribs = _hatch(((y + 0.3 * (x - cx)) * 75), np.full_like(x, 0.22))
    block.lay(sail, np.maximum(ribs, _outline(sheet, sail, 0.0026)))
    mast, _ = segment(x, y, (cx - 0.006, cy), (cx - 0.006, cy - 0.14))
    block.line(sheet.soft(0.0028 - mast, 1.5))
    glints = _hatch(
        (y * 95 + 0.3 * block.wobble),
        np.clip(0.9 - np.abs(x - cx) / 0.05 - (y - cy) * 9, 0, 0.9),
    )
    block.line(glints * (y > cy + 0.018))


def _shore(block: _Block) -> None:
    """Boulders: facets, each hatched in a direction and a weight of its own, lit from the sun's side."""
    x, y, sheet = block.x, block.y, block.sheet
    edge = (
        0.885 - 0.075 * np.abs(np.sin(8.2 * x + 0.9)) ** 0.7 - 0.13 * smoothstep(0.40, 0.66, x) + 0.004 * block.wobble
    )
    seeds = np.stack([block.rng.uniform(0, 0.66, 34), block.rng.uniform(0.74, 1.02, 34)], axis=-1)
    first = np.full_like(x, 9.0)
    second, phase, tone = first.copy(), first.copy(), first.copy()
    for sx, sy in seeds:
        gap = np.hypot(x - sx, (y - sy) * 1.25)
        nearer = gap < first
        second = np.where(nearer, first, np.minimum(second, gap))
        turn = block.rng.uniform(-0.5, 2.2)
        phase = np.where(nearer, (x * np.cos(turn) + y * np.sin(turn)) * 78 + 0.3 * block.wobble, phase)
        tone = np.where(nearer, block.rng.choice([0.16, 0.42, 0.66, 0.90]) - 2.0 * (sx - x), tone)
        first = np.where(nearer, gap, first)
    ink = _hatch(phase, np.clip(tone, 0.05, 0.96))
    cracks = sheet.soft((0.0022 - (second - first)), 1.5)
    rim = _outline(sheet, (y - edge), 0.0034)
    block.lay((y - edge), np.maximum(np.maximum(ink, cracks), rim))
    block.land = sheet.soft((y - edge), 1.5)


def _tuft(block: _Block, base: tuple[float, float], radius: float) -> None:
    """A fan of pine needles over ``base``, on black."""
    scale = block.sheet.height
    left, right = max(int((base[0] - 2 * radius) * scale), 0), max(int((base[0] + 2 * radius) * scale), 0)
    top, bottom = int((base[1] - 1.5 * radius) * scale), int((base[1] + 1.5 * radius) * scale)
    window = np.s_[top:bottom, left:right]
    u, v = (block.x[window] - base[0]) / (1.35 * radius), (block.y[window] - base[1]) / radius
    near, turn = np.hypot(u, v), np.arctan2(v, u)
    inside = (1 + 0.16 * np.abs(np.sin(turn * 8.0)) - 2.4 * np.clip(v, 0, 1) - near) * radius
    white = (0.30 + 0.50 * near - 0.9 * np.clip(v + 0.12, 0, 1)) * (near > 0.22)
    cut = _hatch((turn * 5.1), np.clip(white, 0, 0.62)) * (inside > 0.0022)
    cover = block.sheet.soft(inside, 1.5)
    block.ink[window] = block.ink[window] * (1 - cover) + (1 - cut) * cover


def _pine(block: _Block) -> None:
    x, y, sheet = block.x, block.y, block.sheet
    bends = [(0.075, 0.97), (0.098, 0.84), (0.074, 0.71), (0.115, 0.59), (0.160, 0.52), (0.158, 0.42)]
    widths = [0.034, 0.026, 0.021, 0.017, 0.012, 0.006]
    limbs = [
        ((0.074, 0.71), (0.245, 0.640), 0.010),
        ((0.115, 0.59), (0.030, 0.540), 0.009),
        ((0.140, 0.555), (0.275, 0.525), 0.008),
    ]
    for i in range(len(bends) - 1):
        (ax, ay), (bx, by) = bends[i], bends[i + 1]
        gap, t = segment(x, y, bends[i], bends[i + 1])
        thick = widths[i] * (1 - t) + widths[i + 1] * t + 0.0012 * block.wobble
        side = ((x - ax) * (by - ay) - (y - ay) * (bx - ax)) / np.hypot(bx - ax, by - ay)
        knots = 0.35 * np.sin(58 * y + 9 * block.slow)
        bark = _hatch(
            (side * 150 + knots + 0.3 * block.wobble),
            np.clip(0.72 + 14 * side, 0.35, 1),
        )
        body = thick - gap
        block.lay(body, np.maximum(bark, _outline(sheet, body, 0.0026)))
    for start, end, width in limbs:
        gap, t = segment(x, y, start, end)
        block.lay((width * (1 - 0.7 * t) - gap), np.ones_like(x))
    pads = [
        (0.158, 0.425, 0.060, 5),
        (0.215, 0.480, 0.060, 5),
        (0.085, 0.500, 0.055, 5),
        (0.030, 0.565, 0.075, 6),
        (0.285, 0.545, 0.065, 6),
        (0.250, 0.660, 0.070, 6),
    ]
    for cx, cy, reach, count in pads:
        for row, lift in ((count - 2, 0.026), (count, 0.0)):
            for spot in np.linspace(-1, 1, row):
                across = reach * (0.75 if lift else 1.0) * spot
                _tuft(block, (cx + across, cy - lift + 0.012 * spot**2), 0.026 + 0.006 * block.rng.random())


def paint(seed: int = 2, width: int = 576, height: int = 896) -> Image.Image:
    """The print, cut at twice the size and reduced."""
    rng = np.random.default_rng(seed)
    sheet = Canvas(width * 2, height * 2)
    block = _Block(sheet, rng)
    for part in (_sky, _mountains, _sea, _boat, _shore, _pine):
        part(block)
    x, y = sheet.x, sheet.y
    margin = (
        np.minimum(np.minimum(x, sheet.width / sheet.height - x), np.minimum(y, 1 - y)) - 0.022 + 0.0012 * block.wobble
    )
    frame = sheet.soft(margin, 2)
    ink = np.maximum(block.ink, _outline(sheet, margin, 0.0024)) * np.maximum(frame, _outline(sheet, margin, 0.0024))
    ink = np.maximum(ink, frame * sheet.soft(sheet.noise(rng, 0.012, 2, 5.0) - 1.62, 8) * 0.9)

    grain = np.sin((x * 0.12 + y + 0.015 * sheet.noise(rng, 0.5, 3, 3.0)) * 520)
    salt = sheet.noise(rng, 0.006, 3) + 0.35 * grain
    paper = sheet.fill("#f1e6cb") * (1 + 0.012 * sheet.noise(rng, 0.01, 4) + 0.02 * sheet.noise(rng, 0.4, 2))[..., None]

    far = np.hypot(x - SUN[0] - 0.004, y - SUN[1] + 0.003)
    disc = sheet.soft((SUN[2] - far + 0.0015 * block.wobble), 2)
    depth = np.clip((y - 0.565) / 0.435, 1e-3, 1)
    ripples = (
        np.sin(np.log(depth + 0.06) * 40 + 9 * x) * 0.5
        + 0.9
        - np.abs(x - SUN[0] - 0.004 - 0.02 * np.sin(60 * y)) / (0.03 + 0.06 * depth)
    )
    glade = smoothstep(0.0, 0.12, ripples) * (y > 0.572) * (1 - block.land)
    dawn = smoothstep(0.30, 0.56, y) * (y < 0.565) * 0.42
    behind = 1 - np.clip(blur((block.ink > 0.5).astype(np.float32), 1.0), 0, 1)
    plate = np.maximum(np.maximum(disc, glade), (dawn * behind)) * frame
    plate *= 0.90 + 0.07 * grain - 0.25 * smoothstep(1.1, 1.5, salt)
    colour = mix(paper, paper * rgb("#d8442b") * 1.08, np.clip(plate, 0, 1))
    black = ink * (0.965 - 0.30 * smoothstep(1.25, 1.7, salt))
    return finish(mix(colour, sheet.fill("#1d1a1b"), black), (width, height))
