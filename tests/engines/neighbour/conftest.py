"""The neighbour, and the real weights: installed once into the user's cache folder as the benchmark does."""

import pytest

from benchmarks import vgg
from restyle.engines.base import File, Machine
from restyle.engines.neighbour.engine import Neighbour, load


@pytest.fixture(scope="session")
def weights() -> File:
    return vgg.weights()


@pytest.fixture(scope="session")
def neighbour() -> Neighbour:
    return load(Machine())
