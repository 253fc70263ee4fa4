"""A screen print: five flat inks, halftone dots, plates a hair out of register; a desert evening with cacti."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from atelier.canvas import Canvas, Field, Rng, finish, rgb, segment, smoothstep

INKS = ("#fdd25a", "#f58a4a", "#e0456f", "#2fa8a8", "#23285e")
SHIFTS = ((0, 0), (3, -2), (-3, 2), (2, 4), (-1, -1))
"""How far each plate is out of register, in pixels to the right and down."""

SUN = (0.58, 0.36, 0.215)
CACTI = (((0.215, 0.90), 0.40), ((0.815, 0.735), 0.17), ((0.435, 0.672), 0.085))
BIRDS = ((0.33, 0.16, 0.030), (0.385, 0.125, 0.022), (0.285, 0.205, 0.018))


def _halftone(sheet: Canvas, tone: Field, angle: float, pitch: float) -> Field:
    """Round dots on a grid turned by ``angle`` radians, ``pitch`` heights apart, covering ``tone`` of the paper."""
    u = (sheet.x * np.cos(angle) + sheet.y * np.sin(angle)) / pitch
    v = (sheet.y * np.cos(angle) - sheet.x * np.sin(angle)) / pitch
    far = np.hypot(u - np.rint(u), v - np.rint(v))
    radius = np.sqrt(np.clip(tone, 0, 1) / np.pi) * np.where(tone > 0.78, 1 + (tone - 0.78) * 2.4, 1)
    return sheet.soft(((radius - far) * pitch), 1.5) * (tone > 0.02)


def _over(*parts: Field) -> Field:
    """All parts on one plate: where they overlap, the ink is the same."""
    plate: Field = np.maximum.reduce(parts)
    return plate


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


@dataclass
class _Desert:
    """The drawing that all plates are cut from. Heights; ``cactus`` is positive inside."""

    sheet: Canvas
    rough: Field
    mesa: Field
    far_dune: Field
    middle_dune: Field
    near_dune: Field
    to_sun: Field
    cactus: Field
    ribs: Field

    @classmethod
    def drawn(cls, sheet: Canvas, rng: Rng) -> "_Desert":
        """Lay it out; only the roughness of the cut edges is left to chance."""
        x, y = sheet.x, sheet.y

        def table(left: float, right: float, slope: float) -> Field:
            return smoothstep(left, left + slope, x) * smoothstep(right + slope, right, x)

        mesa = 0.60 - 0.13 * table(0.10, 0.305, 0.03) - 0.045 * table(0.02, 0.38, 0.04) + 0.006 * np.sin(60 * x)
        mesa = mesa - 0.085 * table(0.70, 0.90, 0.025) - 0.05 * table(0.655, 0.99, 0.03)
        cactus, ribs = np.full_like(x, -1), np.zeros_like(x)
        for at, tall in CACTI:
            shape = _cactus(x, y, at, tall)
            ribs = np.where(shape > 0, np.sin((x - at[0]) / tall * 150), ribs)
            cactus = np.maximum(cactus, shape)
        return cls(
            sheet=sheet,
            rough=0.0012 * sheet.noise(rng, 0.012, 2),
            mesa=mesa,
            far_dune=0.665 + 0.035 * np.sin(5.2 * x + 0.5),
            middle_dune=0.775 - 0.075 * np.sin(4.1 * x - 0.4),
            near_dune=0.905 + 0.050 * np.sin(5.0 * x + 2.4),
            to_sun=np.hypot(x - SUN[0], y - SUN[1]),
            cactus=cactus,
            ribs=ribs,
        )

    def plates(self) -> tuple[Field, Field, Field, Field, Field]:
        """Coverage 0..1 of yellow, orange, magenta, teal and navy."""
        plant = self.sheet.soft(self.cactus + self.rough)
        bare = 1 - plant
        skin = plant * ((self.ribs <= 0.15) | (self.cactus <= 0.004))
        teal, navy = np.maximum(self._teal() * bare, plant), np.maximum(self._navy() * bare, skin)
        return self._yellow(), self._orange() * bare, self._magenta() * bare, teal, navy

    def _cliffs(self) -> Field:
        return self.sheet.soft(np.minimum(self.sheet.y - self.mesa, self.far_dune - self.sheet.y))

    def _yellow(self) -> Field:
        return ((self.sheet.y < 0.70) | (self.sheet.y > self.far_dune)).astype(np.float32)

    def _orange(self) -> Field:
        x, y, soft = self.sheet.x, self.sheet.y, self.sheet.soft
        rays = np.floor((np.arctan2(y - SUN[1], x - SUN[0]) / (2 * np.pi) * 36) % 2) * (self.to_sun > SUN[2] + 0.03)
        sky = _halftone(self.sheet, 0.72 * smoothstep(0.62, 0.0, y) + 0.14 * rays, 0.26, 0.0125) * (y < self.mesa)
        sand = _halftone(self.sheet, 0.70 * smoothstep(0.02, 0.12, y - self.far_dune), 0.26, 0.011)
        return _over(sky, sand * (y > self.far_dune), soft(y - self.middle_dune))

    def _magenta(self) -> Field:
        y, soft = self.sheet.y, self.sheet.soft
        slats = np.abs(((y - SUN[1]) * 19) % 1 - 0.5) < 0.5 - 0.42 * smoothstep(-0.03, 0.22, y - SUN[1])
        sun = soft(SUN[2] - self.to_sun + self.rough) * slats
        slope = _halftone(self.sheet, 0.85 * smoothstep(0.0, 0.13, y - self.middle_dune), 0.78, 0.011)
        slope = slope * (y > self.middle_dune) * (y < self.near_dune)
        return _over(sun, self._cliffs(), slope, soft(y - self.near_dune))

    def _teal(self) -> Field:
        y = self.sheet.y
        tone = 0.95 * smoothstep(0.72, 0.05, y) ** 2.2 - 0.7 * np.exp(-((self.to_sun / 0.26) ** 2))
        return _halftone(self.sheet, tone, 1.05, 0.0125) * (y < self.mesa) * (self.to_sun > SUN[2])

    def _navy(self) -> Field:
        """Strata of the cliffs, ripples of the sand, shadows of the cacti, birds."""
        x, y, soft = self.sheet.x, self.sheet.y, self.sheet.soft
        strata = (np.sin((y + 0.004 * np.sin(31 * x)) * 330) > 0.25) | (np.sin(90 * x + 3 * np.sin(40 * y)) > 0.72)
        ink = self._cliffs() * strata * soft(y - self.mesa - 0.008) * (np.sin(7 * x + 20 * y) > -0.55)
        wave = np.abs((y - self.near_dune) * 26 + 0.35 * np.sin(13 * x) + 0.12 * np.sin(31 * x)) % 1
        ink = np.maximum(ink, (y > self.near_dune + 0.012) * (wave < 0.30 + 0.15 * np.sin(9 * x)))
        for (cx, cy), tall in CACTI:
            ink = np.maximum(ink, soft(0.05 * tall - np.hypot((x - cx - 0.35 * tall) / 11, y - cy - 0.01)))
        for bx, by, span in BIRDS:
            out = np.abs(x - bx) / span
            wing = np.abs(y - by + 0.55 * span * np.sin(np.clip(out, 0, 1) * 2.6)) - 0.0035 * (1 - out)
            ink = np.maximum(ink, soft(-wing) * (out < 1))
        return np.asarray(ink)


def paint(seed: int = 8, size: int = 768) -> Image.Image:
    """The print, pulled at twice the size and reduced."""
    rng = np.random.default_rng(seed)
    sheet = Canvas(size * 2, size * 2)
    desert = _Desert.drawn(sheet, rng)
    margin = np.minimum(np.minimum(sheet.x, 1 - sheet.x), np.minimum(sheet.y, 1 - sheet.y)) - 0.040
    picture: Field = sheet.fill("#f6ecd6") * (1 + 0.015 * sheet.noise(rng, 0.01, 3))[..., None]
    for plate, ink, (right, down) in zip(desert.plates(), INKS, SHIFTS, strict=True):
        frame = sheet.soft(margin + 0.5 * desert.rough + 0.0015 * rng.normal(), 2)
        worn = 1 - 0.55 * smoothstep(1.15, 1.7, sheet.noise(rng, 0.008, 3))
        worn = worn - 0.05 * np.clip(sheet.noise(rng, 0.25, 3), 0, 1)
        cover = (np.roll(plate * frame, (down, right), (0, 1)) * worn)[..., None]
        picture = picture * (1 - cover) + (picture * 0.30 + 0.70) * rgb(ink) * cover
    return finish(picture, (size, size))
