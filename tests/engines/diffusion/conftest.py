"""One engine over tiny checkpoints, shared by all tests of the folder: each leaves it as it found it."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.studio import Studio

collect_ignore_glob = [] if find_spec("diffusers") else ["test_*.py"]
"""An installation without the extra ``diffusion`` has nothing to test here."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The samplers' library hands tensors to NumPy in a way that NumPy 2 will not take for ever."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword"))


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> "Studio":
    from tests.support.studio import Studio

    return Studio(tmp_path_factory.mktemp("studio"))


@pytest.fixture(params=["sd15", "sdxl"])
def base(request: pytest.FixtureRequest) -> str:
    """An architecture's name, with which codes begin."""
    return str(request.param)
