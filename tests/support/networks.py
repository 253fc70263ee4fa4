"""A VGG16 of the right shape with few channels and random weights: quick, and nothing to download.

Name ``REGISTRY`` in ``RESTYLE_REGISTRY`` for a neighbour that draws with such a file, installed in its place.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from benchmarks import vgg
from restyle.conversion.registry import Registry
from restyle.engines.base import File, Role
from restyle.engines.families import FAMILIES
from restyle.engines.neighbour.family import FAMILY, WEIGHTS
from restyle.engines.neighbour.weights import CONVOLUTIONS, digest
from restyle.images.pixels import Floats
from restyle.settings import Settings

REGISTRY = "tests.support.networks:registry"
CHANNELS = (3, 8, 8, 12, 12, 16, 16, 16, 20)


def random_weights(seed: int = 0, channels: Sequence[int] = CHANNELS) -> list[tuple[Floats, Floats]]:
    """Kernel and bias of every convolution."""
    rng = np.random.default_rng(seed)
    return [
        (
            rng.normal(0, (2 / (9 * inner)) ** 0.5, (3, 3, inner, outer)).astype(np.float32),
            rng.normal(0, 0.1, outer).astype(np.float32),
        )
        for inner, outer in pairwise(channels)
    ]


def random_vgg(seed: int = 0) -> vgg.VGG16:
    return vgg.VGG16(random_weights(seed))


def weight_file(path: Path, seed: int = 0) -> File:
    """The same in a file of the form that the neighbour reads."""
    import h5py

    with h5py.File(path, "w") as file:
        for name, pair in zip(CONVOLUTIONS, random_weights(seed), strict=False):
            block, index = (int(part) for part in name.split("_"))
            layer = "conv2d" if index == 1 else f"conv2d_{index - 1}"
            for number, values in enumerate(pair):
                file[f"block{block}/layers/{layer}/vars/{number}"] = values
    return File(Role.WEIGHTS, path, digest(path), "few channels")


def registry(settings: Settings) -> Registry:
    """What ships, but that the neighbour's weights are those found in their place."""
    path = settings.data_dir / "models" / WEIGHTS.path
    found = replace(FAMILY, weights=replace(WEIGHTS, sha256=digest(path), size=path.stat().st_size))
    return Registry(settings, families=[found if family is FAMILY else family for family in FAMILIES])
