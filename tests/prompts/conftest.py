"""A model that the tests of this folder share."""

from pathlib import Path

import pytest

from tests.support.marian import make_marian


@pytest.fixture(scope="session")
def marian(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny Marian model for CTranslate2."""
    return make_marian(tmp_path_factory.mktemp("marian"))
