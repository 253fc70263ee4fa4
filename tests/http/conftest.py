from collections.abc import Iterator

import pytest

from tests.support.service import RunningService, running


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """One service for the tests that leave it as it was."""
    with running(tmp_path_factory.mktemp("service")) as started:
        yield started
