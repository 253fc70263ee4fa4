"""The life of a task is the same on every back end: SQLite with workers of one machine, PostgreSQL with Procrastinate."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from restyle.database import open_database
from tests.support import databases

BACK_ENDS = ["fleet" if kind == "postgresql" else kind for kind in databases.KINDS]


@pytest.fixture(params=BACK_ENDS)
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    """An open database; of a fleet where it is PostgreSQL."""
    if request.param == "sqlite":
        engine = open_database(f"sqlite:///{tmp_path / 'data' / 'restyle.sqlite3'}")
        yield engine
        engine.dispose()
        return
    with databases.postgres_database(request.getfixturevalue("postgres_cluster")) as url:
        engine = open_database(url)
        engine.update_execution_options(restyle_fleet=True)
        yield engine
        engine.dispose()
