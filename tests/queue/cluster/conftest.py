"""A fleet for the tests of a module: a database of its own in the session's PostgreSQL, a bucket of its own."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from tests.support import databases
from tests.support.fleet import Town, object_store, town


@pytest.fixture(scope="module")
def fleet(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """An API and a machine with two workers. Tests use it one after the other, and leave it able to draw."""
    if "postgresql" not in databases.KINDS:
        pytest.skip("no PostgreSQL server programs here")
    cluster: sa.URL = request.getfixturevalue("postgres_cluster")
    folder = tmp_path_factory.mktemp("fleet")
    with (
        databases.postgres_database(cluster) as url,
        object_store() as bucket,
        town(folder, url, bucket, workers=2) as found,
    ):
        api = found.add("api", wait=False)
        found.add("worker")
        api.wait_until_ready()
        yield found
