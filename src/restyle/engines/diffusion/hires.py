"""Pictures larger than a checkpoint was trained for: drawn near its size, then enlarged and refined in tiles.

The tiles overlap, and their predictions are averaged in every step (MultiDiffusion: Bar-Tal et al. 2023), so there is
one picture and no seam; its composition is that of the drawing at native size.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from restyle.engines.diffusion.guidance import Guided, Window
from restyle.engines.diffusion.injection import Injection
from restyle.engines.diffusion.vae import FACTOR
from restyle.images.pixels import Pixels
from restyle.images.resize import resized

WHOLE = 1.5
"""Pictures up to so many times the native number of pixels are drawn at once."""
GROWTH = 2.5
"""Most that one refinement enlarges a side by."""
STRIDE = 0.75
"""Distance of tiles, as a part of their side."""
SMALLEST = 64


@dataclass(frozen=True, slots=True)
class Plan:
    """``sizes`` are (width, height) of the drawing and of each refinement, the last the picture's own."""

    sizes: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, width: int, height: int, native: int) -> "Plan":
        """The plan for a picture of that size by a checkpoint trained at ``native`` x ``native`` pixels."""
        shrink = math.sqrt(width * height) / native
        if shrink**2 <= WHOLE:
            return cls(((width, height),))
        levels = math.ceil(math.log(shrink) / math.log(GROWTH))
        factors = [shrink ** ((levels - level) / levels) for level in range(levels)]
        sizes = tuple((_rounded(width / factor), _rounded(height / factor)) for factor in factors)
        return cls((*sizes, (width, height)))

    @property
    def refinements(self) -> tuple[tuple[int, int], ...]:
        """The sizes after the first."""
        return self.sizes[1:]


def _rounded(side: float) -> int:
    return max(SMALLEST, round(side / FACTOR) * FACTOR)


def refine_steps(steps: int, refine: float) -> int:
    """Steps of a refinement: as many as the same sampler takes for that part of its schedule."""
    return max(2, math.ceil(steps * refine))


def windows(height: int, width: int, side: int) -> list[Window]:
    """Tiles of ``side`` (or of the whole, where that is smaller) that cover ``height`` x ``width``, in latents."""
    rows, columns = _starts(height, side), _starts(width, side)
    return [Window(top, left, min(side, height), min(side, width)) for top in rows for left in columns]


def _starts(length: int, side: int) -> list[int]:
    if length <= side:
        return [0]
    count = math.ceil((length - side) / (side * STRIDE)) + 1
    return [round(index * (length - side) / (count - 1)) for index in range(count)]


class Tiled:
    """A denoiser that evaluates the network tile by tile and averages, the more a tile counts the nearer its middle."""

    def __init__(self, guided: Guided, height: int, width: int, side: int, beat: Callable[[], None]) -> None:
        self._guided = guided
        self._windows = windows(height, width, side)
        self._beat = beat

    def __call__(self, seen: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        total = torch.zeros_like(seen, dtype=torch.float32)
        weights = torch.zeros(seen.shape[-2:], dtype=torch.float32, device=seen.device)
        for window in self._windows:
            self._beat()
            weight = _hill(window.height, seen)[:, None] * _hill(window.width, seen)[None, :]
            window.of(total).add_(self._guided(window.of(seen), timestep, window) * weight)
            window.of(weights).add_(weight)
        return total / weights


def _hill(length: int, like: torch.Tensor) -> torch.Tensor:
    """Weights (length,) that fall from the middle to the borders, nowhere to zero."""
    middle = (torch.arange(length, device=like.device, dtype=torch.float32) + 0.5) / length
    return torch.sin(math.pi * middle) ** 2 + 0.01


class Injected:
    """A denoiser with style injection: tells it the timestep before each evaluation."""

    def __init__(self, inner: Guided | Tiled, injection: Injection) -> None:
        self._inner = inner
        self._injection = injection

    def __call__(self, seen: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        self._injection.at(float(timestep))
        return self._inner(seen, timestep)


def enlarged(drawn: Pixels, raw: Pixels, size: tuple[int, int], texture: float) -> Pixels:
    """``drawn`` at ``size`` (width, height), with a share of the raw image's fine detail, which it cannot have.

    ``raw`` is the raw image at ``size``; its detail is what it loses at the size of ``drawn``.
    """
    result = resized(drawn, *size).astype(np.float32)
    if texture > 0:
        small = resized(raw, drawn.shape[1], drawn.shape[0])
        result += texture * (raw.astype(np.float32) - resized(small, *size))
    pixels: Pixels = np.clip(result + 0.5, 0, 255).astype(np.uint8)
    return pixels
