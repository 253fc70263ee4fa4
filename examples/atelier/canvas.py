"""What every medium needs: coordinates, noise, soft masks, blur, distance, relief light, colours."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

Field = npt.NDArray[np.floating[Any]]
"""Floats (H, W), or (H, W, 3) for colours in 0..1 sRGB."""

Rng = np.random.Generator


@dataclass(frozen=True)
class Canvas:
    """A sheet of ``width`` x ``height`` pixels. Drawing coordinates are in heights: y 0..1, x 0..width/height."""

    width: int
    height: int

    @property
    def x(self) -> Field:
        """Horizontal coordinate of every pixel."""
        row = (np.arange(self.width, dtype=np.float32) + 0.5) / self.height
        return np.broadcast_to(row, (self.height, self.width)).copy()

    @property
    def y(self) -> Field:
        """Vertical coordinate of every pixel, downwards."""
        column = (np.arange(self.height, dtype=np.float32) + 0.5) / self.height
        return np.broadcast_to(column[:, None], (self.height, self.width)).copy()

    def noise(self, rng: Rng, size: float, octaves: int = 4, stretch: float = 1.0) -> Field:
        """Smooth noise, about -1..1; its largest features are ``size`` heights high and ``stretch`` times as wide."""
        total = np.zeros((self.height, self.width), np.float32)
        weight, norm = 1.0, 0.0
        for octave in range(octaves):
            cell = max(size * 0.5**octave * self.height, 1.0)
            rows = max(int(np.ceil(self.height / cell)) + 3, 4)
            columns = max(int(np.ceil(self.width / (cell * stretch))) + 3, 4)
            coarse = Image.fromarray(rng.uniform(-1, 1, (rows, columns)).astype(np.float32))
            box = (1.0, 1.0, 1.0 + self.width / (cell * stretch), 1.0 + self.height / cell)
            box = (box[0], box[1], min(box[2], columns), min(box[3], rows))
            smooth = coarse.resize((self.width, self.height), Image.Resampling.BICUBIC, box=box)
            total += weight * np.asarray(smooth, np.float32)
            norm += weight**2
            weight *= 0.55
        return total * np.float32(1.3 / np.sqrt(norm))

    def soft(self, signed: Field, pixels: float = 1.0) -> Field:
        """1 where ``signed`` (in heights) is positive, 0 where negative, with an edge ``pixels`` wide."""
        cover: Field = np.clip(signed * (self.height / pixels) + 0.5, 0, 1)
        return cover

    def fill(self, colour: str) -> Field:
        """The sheet in one colour."""
        return np.broadcast_to(rgb(colour), (self.height, self.width, 3)).copy()


def rgb(colour: str) -> Field:
    """``#rrggbb`` as float32 (3,), 0..1."""
    return np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)], np.float32)


def ramp(tone: Field, colours: Sequence[str]) -> Field:
    """Colours along a palette: ``tone`` 0 is its first colour, 1 its last. Adds a last axis of 3."""
    table = np.stack([rgb(colour) for colour in colours])
    stops = np.linspace(0, 1, len(table))
    return np.stack([np.interp(tone, stops, table[:, i]) for i in range(3)], axis=-1).astype(np.float32)


def mix(under: Field, over: Field, alpha: Field) -> Field:
    """``over`` laid on ``under`` with coverage ``alpha`` (H, W)."""
    return under + (over - under) * alpha[..., None]


def smoothstep(low: float, high: float, value: Field) -> Field:
    """0 up to ``low``, 1 from ``high``, smooth between."""
    t: Field = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def segment(x: Field, y: Field, start: tuple[float, float], end: tuple[float, float]) -> tuple[Field, Field]:
    """Distance of every pixel to a line segment, and the fraction 0..1 along it of the nearest point."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    t = np.clip(((x - start[0]) * dx + (y - start[1]) * dy) / (dx * dx + dy * dy), 0, 1).astype(np.float32)
    return np.hypot(x - start[0] - t * dx, y - start[1] - t * dy).astype(np.float32), t


def blur(image: Field, sigma: float) -> Field:
    """Gaussian blur, near enough: three box blurs on each axis; ``sigma`` in pixels."""
    radius = max(round((np.sqrt(4 * sigma * sigma + 1) - 1) / 2), 0)
    if radius == 0:
        return image
    result = image.astype(np.float64)
    for axis in (0, 1):
        for _ in range(3):
            pad = [(0, 0)] * result.ndim
            pad[axis] = (radius + 1, radius)
            sums = np.cumsum(np.pad(result, pad, mode="edge"), axis=axis)
            width = 2 * radius + 1
            upper = np.take(sums, range(width, sums.shape[axis]), axis=axis)
            lower = np.take(sums, range(sums.shape[axis] - width), axis=axis)
            result = (upper - lower) / width
    return result.astype(np.float32)


def distance(mask: npt.NDArray[np.bool_], reach: int) -> Field:
    """Euclidean distance in pixels to the nearest True pixel, exact up to ``reach`` and ``reach`` beyond it."""
    rows = np.where(mask, 0.0, np.inf)
    for i in range(1, len(rows)):
        rows[i] = np.minimum(rows[i], rows[i - 1] + 1)
    for i in range(len(rows) - 2, -1, -1):
        rows[i] = np.minimum(rows[i], rows[i + 1] + 1)
    squares = np.minimum(rows, reach) ** 2
    best = squares.copy()
    for offset in range(1, min(reach, mask.shape[1] - 1) + 1):
        best[:, offset:] = np.minimum(best[:, offset:], squares[:, :-offset] + offset**2)
        best[:, :-offset] = np.minimum(best[:, :-offset], squares[:, offset:] + offset**2)
    near: Field = np.minimum(np.sqrt(best), reach)
    return near


def light(relief: Field, depth: float, angle: float = 2.2) -> tuple[Field, Field]:
    """Light a relief from the upper left: diffuse factor around 1, and a gloss 0..1. ``depth`` scales the slopes."""
    down, right = np.gradient(relief * np.float32(depth))
    normal = np.stack([-right, -down, np.ones_like(relief)], axis=-1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    lamp = np.array([np.cos(angle), -np.sin(angle), 1.1])
    lamp /= np.linalg.norm(lamp)
    half = lamp + np.array([0, 0, 1.0])
    half /= np.linalg.norm(half)
    diffuse = normal @ lamp / lamp[2]
    gloss = np.clip(normal @ half, 0, 1) ** 60
    return diffuse.astype(np.float32), gloss.astype(np.float32)


def finish(colour: Field, size: tuple[int, int] | None = None) -> Image.Image:
    """Round to 8 bits, and reduce to ``size`` (width, height) if the sheet was painted larger."""
    picture = Image.fromarray(np.rint(np.clip(colour, 0, 1) * 255).astype(np.uint8))
    return picture if size is None or picture.size == size else picture.resize(size, Image.Resampling.LANCZOS)
