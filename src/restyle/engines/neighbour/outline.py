"""What of the photograph's lightness stays in place: where it is flat, and how it rises and falls in small windows."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as nn

from restyle.images.luma import LUMA

Tensor = torch.Tensor

WINDOW = 9
"""Pixels a side of a window, at every level the same, so that between them the levels see subjects of every width."""
APART = 3
"""Pixels between windows that are compared."""
OCTAVES = 2
LEAST_SIDE = 16
HALF_FLAT = 0.03
"""Where lightness, 0..1, deviates by this much within a window, it counts half as flat as where it is all one."""
LEAST_DEVIATION = 0.01
"""What deviates less has no structure worth the name: a camera's noise."""


@dataclass(frozen=True, slots=True)
class Windows:
    """One octave of the photograph's lightness, (1, 1, H, W), and of each window, (1, 1, h, w), what lies in it.

    ``weight``: the windows' part in the sum, in proportion to the deviation; half as much for the second octave.
    """

    lightness: Tensor
    mean: Tensor
    deviation: Tensor
    weight: Tensor

    def correlation(self, lightness: Tensor) -> Tensor:
        """Of another picture's lightness with the photograph's, window by window, -1..1.

        The structure term of Wang, Bovik, Sheikh and Simoncelli, Image Quality Assessment (IEEE TIP 2004): blind to
        brightness, contrast and colour, which are the reference's.
        """
        mean, deviation = _mean_and_deviation(lightness, APART)
        together = _mean(lightness * self.lightness, APART) - mean * self.mean
        floor = LEAST_DEVIATION**2
        return (together + floor) / (deviation * self.deviation + floor)


@dataclass(frozen=True, slots=True)
class Outline:
    """What is kept of one photograph at one level.

    ``flatness``: float32 (1, 1, H, W), most where the photograph is flat, 1 in the mean. ``octaves``: finest first.
    """

    flatness: Tensor
    octaves: Sequence[Windows]


def outline_of(photograph: Tensor) -> Outline:
    """Of float32 (1, 3, H, W), 0..1."""
    lightness = lightness_of(photograph)
    _, deviation = _mean_and_deviation(lightness, 1)
    flatness = HALF_FLAT / (HALF_FLAT + deviation)
    octaves: list[Windows] = []
    while len(octaves) < OCTAVES and min(lightness.shape[2:]) >= LEAST_SIDE:
        mean, deviation = _mean_and_deviation(lightness, APART)
        part = 0.5 ** len(octaves) / deviation.sum().clamp(min=LEAST_DEVIATION * deviation.numel())
        octaves.append(Windows(lightness, mean, deviation, part * deviation))
        lightness = halved(lightness)
    return Outline(flatness / flatness.mean(), octaves)


def lightness_of(picture: Tensor) -> Tensor:
    """The luma (BT.601) of float32 (1, 3, H, W) as (1, 1, H, W)."""
    return (picture * picture.new_tensor(LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)


def halved(lightness: Tensor) -> Tensor:
    """The next octave."""
    return nn.avg_pool2d(lightness, 2)


def _mean_and_deviation(lightness: Tensor, apart: int) -> tuple[Tensor, Tensor]:
    mean = _mean(lightness, apart)
    variance = (_mean(lightness.square(), apart) - mean.square()).clamp(min=0)
    # Not zero, where a gradient would have no bound.
    return mean, (variance + 1e-8).sqrt()


def _mean(values: Tensor, apart: int) -> Tensor:
    return nn.avg_pool2d(values, WINDOW, apart, WINDOW // 2, count_include_pad=False)
