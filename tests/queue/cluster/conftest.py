"""A fleet for all tests of this folder: a database of its own in the session's PostgreSQL, a bucket of its own."""

import os
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa

from tests.support import databases
from tests.support.clock import COMPILER, Clocks
from tests.support.fleet import Town, object_store, s3_environment, town
from tests.support.relay import Relay, StoreRelay

CLOCK = "worker"


@dataclass(frozen=True, slots=True)
class Reach:
    """What of the fleet's surroundings tests may disturb: the wires to PostgreSQL and to the store, and the clock of
    its first worker, None where such cannot be made. ``url`` is the database's past the wire."""

    database: Relay
    store: StoreRelay
    clocks: Clocks | None
    url: str


@pytest.fixture(scope="session")
def reach(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reach]:
    if "postgresql" not in databases.KINDS:
        pytest.skip("no PostgreSQL server programs here")
    cluster: sa.URL = request.getfixturevalue("postgres_cluster")
    clocks = Clocks(tmp_path_factory.mktemp("clocks")) if COMPILER else None
    with databases.postgres_database(cluster) as url, object_store():
        store = urlsplit(os.environ["AWS_ENDPOINT_URL"])
        assert store.hostname is not None
        assert store.port is not None
        wires = Relay(Path(str(cluster.query["host"])) / ".s.PGSQL.5432"), StoreRelay((store.hostname, store.port))
        yield Reach(*wires, clocks, url)
        for wire in wires:
            wire.close()


@pytest.fixture(scope="session")
def fleet(reach: Reach, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """An API and a machine with two workers. Tests use it one after the other, and leave it with one of each."""
    folder = tmp_path_factory.mktemp("fleet")
    url = sa.make_url(reach.url).set(host="127.0.0.1", port=reach.database.port, query={})
    with (
        s3_environment(f"http://127.0.0.1:{reach.store.port}"),
        town(folder, url.render_as_string(hide_password=False), "s3://pictures", workers=2) as found,
    ):
        api = found.add("api", wait=False)
        with nullcontext() if reach.clocks is None else reach.clocks.wearing(CLOCK):
            worker = found.add("worker")
        assert reach.clocks is None or reach.clocks.worn_by(worker.process.pid)
        api.wait_until_ready()
        yield found
