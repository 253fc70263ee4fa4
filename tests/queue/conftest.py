"""The life of a task is the same on every back end: SQLite and one machine, PostgreSQL and many."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from restyle.database import open_database
from restyle.queue.cluster.membership import Membership
from tests.support import databases

BACK_ENDS = ["fleet" if kind == "postgresql" else kind for kind in databases.KINDS]


@pytest.fixture(params=BACK_ENDS)
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    """An open database; of a fleet where it is PostgreSQL."""
    if request.param == "sqlite":
        engine = open_database(databases.sqlite_database(tmp_path / "data" / "restyle.sqlite3"))
        yield engine
        engine.dispose()
        return
    with databases.postgres_database(request.getfixturevalue("postgres_cluster"), tables=True) as url:
        engine = open_database(url)
        memberships: list[Membership] = []
        engine.update_execution_options(restyle_fleet=memberships)
        yield engine
        for each in memberships:
            each.release()
        engine.dispose()
