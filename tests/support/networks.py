"""A VGG16 of the right shape with few channels and random weights: quick, and nothing to download."""

from itertools import pairwise

import numpy as np

from benchmarks import vgg
from restyle.engines.neighbour.weights import Floats

CHANNELS = (3, 8, 8, 12, 12, 16, 16, 16, 20)


def random_weights(seed: int = 0) -> list[tuple[Floats, Floats]]:
    """Kernel and bias of every convolution."""
    rng = np.random.default_rng(seed)
    return [
        (
            rng.normal(0, (2 / (9 * inner)) ** 0.5, (3, 3, inner, outer)).astype(np.float32),
            rng.normal(0, 0.1, outer).astype(np.float32),
        )
        for inner, outer in pairwise(CHANNELS)
    ]


def random_vgg(seed: int = 0) -> vgg.VGG16:
    return vgg.VGG16(random_weights(seed))
