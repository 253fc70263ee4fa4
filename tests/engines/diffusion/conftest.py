"""What tests of the diffusion engine share."""

from importlib.util import find_spec
from pathlib import Path

import pytest

collect_ignore_glob = [] if find_spec("diffusers") else ["test_*.py"]
"""An installation without the extra ``diffusion`` has nothing to test here."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The samplers' library hands tensors to NumPy in ways that NumPy will not take for ever."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword"))
            item.add_marker(pytest.mark.filterwarnings("ignore:__array_wrap__ must accept context"))


@pytest.fixture(params=["sd15", "sdxl"])
def base(request: pytest.FixtureRequest) -> str:
    """An architecture's name, with which codes begin."""
    return str(request.param)
