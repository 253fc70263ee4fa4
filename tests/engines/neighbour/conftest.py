"""The weights, installed once into the user's cache folder as the benchmark does, and the engine with them."""

from pathlib import Path

import pytest

from benchmarks import vgg
from restyle.engines.neighbour.engine import Neighbour, load
from restyle.settings import Settings


@pytest.fixture(scope="session")
def weights() -> Path:
    return vgg.weight_file()


@pytest.fixture(scope="session")
def neighbour(weights: Path) -> Neighbour:
    return load(Settings(data_dir=vgg.cache_dir(), threads=1))
