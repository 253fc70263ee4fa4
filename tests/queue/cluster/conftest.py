"""A fleet for each test: its own database in the session's PostgreSQL, its own bucket of an object store."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.support import databases
from tests.support.fleet import Town, object_store, town


@pytest.fixture
def fleet_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of an empty PostgreSQL database."""
    if "postgresql" not in databases.KINDS:
        pytest.skip("no PostgreSQL server programs here")
    cluster: sa.URL = request.getfixturevalue("postgres_cluster")
    with databases.postgres_database(cluster) as url:
        yield url


@pytest.fixture
def bucket() -> Iterator[str]:
    """The URL of an empty bucket."""
    pytest.importorskip("moto")
    with object_store() as url:
        yield url


@pytest.fixture
def fleet(fleet_url: str, bucket: str, tmp_path: Path) -> Iterator[Town]:
    with town(tmp_path, fleet_url, bucket) as found:
        yield found
