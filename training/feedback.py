"""What a first, small drawing lacks of its reference's statistics, for the drawing itself to make up.

No decoder draws exactly the statistics it is asked for. What it misses shows at half the size, for a quarter of the
work; asked for as much more, it comes nearer, as a thermostat does.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as nn
from torch import Tensor

from training.attention import EPSILON, Corrections, mean_and_variance
from training.encoder import LAYERS, Encoder, Maps
from training.network import Brush, noise_planes

SMALLER = 2
"""The first drawing's pixels cover so many, down and across."""
SHARE = 0.5
"""Of what is missed is made up."""
MOST = 2.0
"""By which deviations grow or shrink at most, before the share."""


@torch.no_grad()
def feedback(network: Brush, eye: Encoder, photographs: Tensor, style: Tensor, noise: Sequence[Tensor]) -> Corrections:
    """How the style that :class:`Brush` takes must be corrected. Pictures (B, 3, H, W), 0..1, of sides that are
    multiples of 16; ``noise``: :func:`small_noise`.
    """
    small, reference = (nn.avg_pool2d(x, SMALLER) for x in (photographs, style))
    theirs = eye(reference)
    return missed(eye(network(eye(small), theirs, noise).clamp(0, 1)), theirs)


def missed(drawn: Maps, style: Maps) -> Corrections:
    """What a drawing lacks of the statistics of ``style``, as far as it is made up."""
    found = {}
    for name in LAYERS:
        (mean, variance), (wanted_mean, wanted_variance) = (mean_and_variance(x[name]) for x in (drawn, style))
        deviation, wanted = (x.add(EPSILON).sqrt() for x in (variance, wanted_variance))
        found[name] = ((wanted / deviation).clamp(1 / MOST, MOST) ** SHARE, SHARE * (wanted_mean - mean))
    return found


def small_noise(count: int, side: int, device: torch.device, generator: torch.Generator | None = None) -> list[Tensor]:
    """:func:`noise_planes` for the first drawing of square pictures."""
    return noise_planes(count, side // SMALLER, side // SMALLER, device, generator)
