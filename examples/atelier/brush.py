"""A bristle brush: strokes that follow a field of directions, leave ridges of paint and run dry at the end."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from atelier.canvas import Field, Rng

Points = npt.NDArray[np.floating[Any]]
"""Floats (..., 2): x, y in pixels."""


def trace(angle: Field, starts: Points, steps: int, step: float) -> Points:
    """Walk from ``starts`` (N, 2) along ``angle`` (H, W), radians: paths (N, steps, 2), the start in their middle."""
    height, width = angle.shape
    halves: list[Points] = []
    for sign in (-1.0, 1.0):
        here: Points = starts
        walk: list[Points] = []
        for _ in range(steps // 2):
            column = np.clip(here[:, 0].astype(int), 0, width - 1)
            row = np.clip(here[:, 1].astype(int), 0, height - 1)
            turn = angle[row, column]
            here = here + sign * step * np.stack([np.cos(turn), np.sin(turn)], axis=-1)
            walk.append(here)
        halves.append(np.stack(walk, axis=1))
    return np.concatenate([halves[0][:, ::-1], starts[:, None], halves[1]], axis=1)


@dataclass
class Surface:
    """Wet paint: ``colour`` float32 (H, W, 3) 0..1 and ``relief`` float32 (H, W), its thickness."""

    colour: Field
    relief: Field

    def stroke(
        self,
        path: Points,
        width: float,
        colour: Field,
        rng: Rng,
        *,
        body: float = 1.0,
        streak: float = 0.10,
        dry: float = 0.35,
        opacity: float = 0.94,
        grain: Field | None = None,
        press: float = 0.0,
    ) -> None:
        """Drag a loaded brush along ``path`` (n, 2).

        ``body`` is the thickness of the paint, ``streak`` how much bristles differ in lightness, ``dry`` the part
        of the length over which bristles give out one by one. With ``grain`` (H, W) 0..1, its height, only the
        paper's tips take colour, as chalk does on rough paper; ``press`` reaches deeper.
        """
        hops = np.hypot(*np.diff(path, axis=0).T)
        along = np.concatenate([[0.0], np.cumsum(hops)])
        length = max(int(along[-1] * 1.25), 4)
        spots = np.linspace(0, along[-1], length)
        centre = np.stack([np.interp(spots, along, path[:, 0]), np.interp(spots, along, path[:, 1])], axis=-1)
        tangent = np.gradient(centre, axis=0)
        tangent /= np.maximum(np.linalg.norm(tangent, axis=-1, keepdims=True), 1e-6)
        normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=-1)

        bristles = max(int(width * 1.3), 4)
        across = np.linspace(-1, 1, bristles)
        t = np.linspace(0, 1, length)[:, None]
        belly = np.sqrt(np.clip(1 - np.clip(1 - t / 0.12, 0, 1) ** 2, 0, 1)) * (1 - 0.35 * t**3)
        spread = across[None, :] * belly
        x = (centre[:, :1] + spread * normal[:, :1] * width / 2).astype(np.int32)
        y = (centre[:, 1:] + spread * normal[:, 1:] * width / 2).astype(np.int32)

        profile = np.convolve(rng.normal(0, 1, bristles + 4), [0.25, 0.5, 0.25], mode="same")[2:-2]
        give_out = 1 - dry * rng.random(bristles) ** 1.5 - 0.10 * across**2
        height, breadth = self.relief.shape
        keep = (t < give_out[None, :]) & (x >= 0) & (x < breadth) & (y >= 0) & (y < height)
        if grain is not None:
            keep &= (
                grain[np.clip(y, 0, height - 1), np.clip(x, 0, breadth - 1)] + press > t * dry + np.abs(across) * 0.15
            )
        rows, columns = y[keep], x[keep]
        if rows.size == 0:
            return

        ripple = profile[None, :] * (1 - 0.3 * t) + 0.35 * rng.normal(0, 1, (length, 1))
        paint = colour[None, None, :] * (1 + streak * ripple[..., None])
        under = self.colour[rows, columns]
        self.colour[rows, columns] = under + opacity * (paint[keep] - under)
        ridge = 0.55 + 0.45 * np.abs(across) ** 3 + 0.30 * profile
        bead = np.exp(-(((t - 0.04) / 0.05) ** 2)) * 0.5
        thickness = body * (ridge[None, :] * (1 - 0.45 * t) + bead)
        self.relief[rows, columns] = 0.45 * self.relief[rows, columns] + thickness[keep]
