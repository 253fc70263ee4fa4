"""Networks of the real form and little size, shared by all tests of engines: each leaves them as it found them."""

from importlib.util import find_spec

import pytest

from restyle.engines.base import File


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """For tests that call networks themselves: several threads wait for each other, which takes long on busy cores."""
    if find_spec("torch") is not None:
        import torch

        torch.set_num_threads(1)


@pytest.fixture(scope="session")
def few_channels(tmp_path_factory: pytest.TempPathFactory) -> File:
    """Weights for the neighbour: random, with few channels."""
    from tests.support.networks import weight_file

    return weight_file(tmp_path_factory.mktemp("weights") / "few.h5")
