from collections.abc import Iterator
from contextlib import suppress

import pytest
import sqlalchemy as sa

from restyle.database import open_database
from restyle.queue.lock import SupervisorLock
from restyle.wire.errors import RestyleError
from tests.support import databases


@pytest.fixture
def locks(database_url: str) -> Iterator[tuple[SupervisorLock, SupervisorLock]]:
    """Those of two services on one database."""
    engines = [open_database(database_url) for _ in range(2)]
    first, second = (SupervisorLock(engine) for engine in engines)
    yield first, second
    first.release()
    second.release()
    for engine in engines:
        engine.dispose()


def test_one_service_holds_the_lock(locks: tuple[SupervisorLock, SupervisorLock]) -> None:
    first, second = locks
    first.acquire()
    first.renew()
    for _ in range(2):
        with pytest.raises(RestyleError, match="another service already runs the tasks of"):
            second.acquire()
    first.release()
    second.acquire()
    with pytest.raises(RestyleError, match="stop it, or give this one its own"):
        first.acquire()


@pytest.mark.parametrize("kind", [kind for kind in databases.KINDS if kind != "sqlite"])
def test_a_lock_that_went_with_its_connection_is_taken_again_unless_another_has_it(
    kind: str, request: pytest.FixtureRequest
) -> None:
    with databases.postgres_database(request.getfixturevalue("postgres_cluster")) as url:
        engines = [open_database(url) for _ in range(3)]
        first, second = SupervisorLock(engines[0]), SupervisorLock(engines[1])
        first.acquire()
        drop_connections(engines[2])
        first.renew()
        with pytest.raises(RestyleError):
            second.acquire()
        drop_connections(engines[2])
        engines[1].dispose()
        second.acquire()
        for _ in range(3):
            with pytest.raises(RestyleError, match="another service"):
                first.renew()
        second.release()
        first.renew()
        with pytest.raises(RestyleError):
            second.acquire()
        first.release()
        for engine in engines:
            engine.dispose()


def drop_connections(db: sa.Engine) -> None:
    drop = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
    with suppress(sa.exc.OperationalError), db.connect() as connection:  # ours is dropped with the others
        connection.execute(sa.text(drop))
