import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from restyle.database import accounts, metadata, open_database, reading, writing
from restyle.wire.errors import RestyleError

OPEN_AND_GRANT = """
import sys, sqlalchemy as sa
from restyle.database import accounts, open_database, reading, writing
db = open_database(sys.argv[1])
with writing(db) as connection:
    connection.execute(sa.insert(accounts).values(total_credits=1, unlimited=False, created=0))
for _ in range(25):
    with writing(db) as connection:  # reads, then writes: where a lock taken late would fail
        total = connection.execute(sa.select(accounts.c.total_credits).where(accounts.c.id == 1)
                                   .with_for_update()).scalar_one()
        connection.execute(sa.update(accounts).where(accounts.c.id == 1).values(total_credits=total + 1))
"""


def test_the_migrations_make_the_tables_that_the_code_describes(db: sa.Engine) -> None:
    with db.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_processes_open_an_empty_place_at_once_and_lose_no_write(database_url: str) -> None:
    command = [sys.executable, "-c", OPEN_AND_GRANT, database_url]
    started = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    assert [(process.communicate()[1], process.returncode) for process in started] == [("", 0)] * 4
    db = open_database(database_url)
    with reading(db) as connection:
        totals = list(connection.scalars(sa.select(accounts.c.total_credits).order_by(accounts.c.id)))
    db.dispose()
    assert totals == [1 + 4 * 25, 1, 1, 1]


def test_threads_that_read_before_they_write_lose_no_write(db: sa.Engine) -> None:
    with writing(db) as connection:
        connection.execute(sa.insert(accounts).values(total_credits=0, unlimited=False, created=0))

    def grant(_: int) -> None:
        with writing(db) as connection:
            total = connection.execute(sa.select(accounts.c.total_credits).with_for_update()).scalar_one()
            connection.execute(sa.update(accounts).values(total_credits=total + 1))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(grant, range(80)))
    with reading(db) as connection:
        assert connection.execute(sa.select(accounts.c.total_credits)).scalar_one() == 80


def test_an_exception_undoes_the_transaction(db: sa.Engine) -> None:
    def write_and_fail() -> None:
        with writing(db) as connection:
            connection.execute(sa.insert(accounts).values(total_credits=0, unlimited=False, created=0))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_and_fail()
    with reading(db) as connection:
        assert connection.execute(sa.select(accounts)).all() == []


def test_a_killed_writer_leaves_nothing_half_done(database_url: str) -> None:
    open_database(database_url).dispose()
    script = (
        "import sys, time, sqlalchemy as sa\n"
        "from restyle.database import accounts, open_database, writing\n"
        "with writing(open_database(sys.argv[1])) as connection:\n"
        "    connection.execute(sa.insert(accounts).values(total_credits=7, unlimited=False, created=0))\n"
        "    print('written', flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, database_url], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        os.kill(process.pid, signal.SIGKILL)
    db = open_database(database_url)
    with writing(db) as connection:
        assert connection.execute(sa.select(accounts)).all() == []
    db.dispose()


def test_credits_below_zero_are_refused_by_the_database_itself(db: sa.Engine) -> None:
    for values in ({"total_credits": 1, "used_credits": 2}, {"total_credits": 1, "used_credits": -1}):
        with pytest.raises(sa.exc.IntegrityError), writing(db) as connection:
            connection.execute(sa.insert(accounts).values(unlimited=False, created=0, **values))


def test_sqlite_writes_ahead_and_waits_for_the_disk(tmp_path: Path) -> None:
    db = open_database(f"sqlite:///{tmp_path / 'new' / 'folder' / 'x.sqlite3'}")
    with reading(db) as connection:
        pragmas = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")]
    db.dispose()
    assert pragmas == ["wal", 2]
    assert (tmp_path / "new" / "folder").stat().st_mode & 0o077 == 0


def test_a_database_of_a_newer_restyle_is_left_alone(database_url: str) -> None:
    db = open_database(database_url)
    with writing(db) as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = 'r9999'"))
    db.dispose()
    with pytest.raises(RestyleError, match=r"newer Restyle \(revision r9999\)"):
        open_database(database_url)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nonsense", "not an SQLAlchemy URL"),
        ("mysql://localhost/x", "names mysql; Restyle keeps SQLite or PostgreSQL"),
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
    ],
)
def test_a_url_that_cannot_serve_is_refused_with_a_reason(url: str, message: str) -> None:
    with pytest.raises(RestyleError, match=message):
        open_database(url)
