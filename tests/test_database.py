import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from restyle.database import accounts, metadata, open_database, reading, writing
from restyle.migrations import HEAD
from restyle.queue.lock import SupervisorLock
from restyle.wire.errors import RestyleError
from tests.support.house import House
from tests.support.nursery import several

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
    several(OPEN_AND_GRANT, database_url)
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


def test_what_need_not_be_written_together_is_one_transaction_each_on_postgresql(db: sa.Engine) -> None:
    account = {"total_credits": 1, "unlimited": False, "created": 0}

    def write_and_fail() -> None:
        with writing(db, together=False) as connection:
            connection.execute(sa.insert(accounts).values(account))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_and_fail()
    with writing(db) as connection:  # the pool's connections are as before
        connection.execute(sa.insert(accounts).values(account))
        connection.rollback()
    count = sa.select(sa.func.count()).select_from(accounts)
    with reading(db) as connection:
        assert connection.execute(count).scalar_one() == (1 if db.dialect.name == "postgresql" else 0)


def test_a_killed_writer_leaves_nothing_half_done(database_url: str) -> None:
    open_database(database_url).dispose()
    script = (
        "import sys, time, sqlalchemy as sa\n"
        "from restyle.database import accounts, open_database, writing\n"
        "with writing(open_database(sys.argv[1])) as connection:\n"
        "    connection.execute(sa.insert(accounts).values(total_credits=7, unlimited=False, created=0))\n"
        "    print('written', flush=True)\n"
        "    time.sleep(3000)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, database_url], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
    assert said == "written\n"
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


@pytest.mark.parametrize("mask", [0o000, 0o022])
def test_a_database_is_for_its_owner_alone(tmp_path: Path, mask: int) -> None:
    path = tmp_path / "x.sqlite3"
    tmp_path.chmod(0o755)
    before = os.umask(mask)
    try:
        for turn in range(2):
            db = open_database(f"sqlite:///{path}")
            with writing(db) as connection:
                connection.execute(sa.insert(accounts).values(total_credits=0, unlimited=False, created=0))
            lock = SupervisorLock(db)
            lock.acquire()
            files = sorted(tmp_path.iterdir())
            assert [file.name for file in files] == [
                f"x.sqlite3{end}" for end in ("", "-shm", "-wal", ".lock", ".service")
            ]
            assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
            if turn == 0:  # as an older release left them
                for file in files:
                    file.chmod(0o644)
            lock.release()
            db.dispose()
    finally:
        os.umask(before)


def test_a_database_of_the_first_release_opens_with_its_tasks(database_url: str, tmp_path: Path) -> None:
    """Its tables as Alembic makes them, and rows in the words of that release, not in those of today's code."""
    first_release(database_url)
    db = open_database(database_url)
    with db.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    house = House(db, tmp_path / "data")
    for uid in OLD:
        for index in (0, 1):
            house.storage.put(f"inputs/{uid}/{index}", house.png)
    (tmp_path / "data" / "objects" / "inputs" / ".keep").touch()
    with house.dispatcher():
        house.account = 1
        assert [task.status for task in house.wait(OLD)] == ["Finished"] * 2
    assert [task.seeds for task in house.store.details(1, OLD)] == [(7,), (7, 8)]
    assert house.used() == 3
    digest = hashlib.sha256(b"body").digest()
    assert house.store.find_repeat(1, "old", "0" * 40, digest) == OLD[0]
    with pytest.raises(RestyleError, match="request_uuid old came with another body before"):
        house.store.find_repeat(1, "old", "0" * 40, b"other")
    db.dispose()


OLD = ["cktlm6lrh4miq8ng9nf0", "cktlm6lrh4miq8ng9nfg"]


def first_release(url: str) -> None:
    """A database at r0001 with one queued task and one that was running when its service ended."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "sqlite":
        Path(str(parsed.database)).parent.mkdir(parents=True, exist_ok=True)
    else:
        parsed = parsed.set(drivername="postgresql+psycopg")
    db = sa.create_engine(parsed)

    def as_json(name: str) -> str:
        return f":{name}" if db.dialect.name == "sqlite" else f"CAST(:{name} AS json)"

    config = Config()
    config.set_main_option("script_location", "restyle:migrations")
    with db.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "r0001")
        connection.execute(
            sa.text(
                "INSERT INTO accounts (total_credits, used_credits, unlimited, created) VALUES (100, 3, false, 1.5)"
            )
        )
        for uid, status, claim, seeds in ((OLD[0], "Queuing", None, "[7]"), (OLD[1], "Running", "c" * 16, "[7, 8]")):
            spec = {
                "model_code": "Obedient", "raw": f"inputs/{uid}/0", "style": f"inputs/{uid}/1",
                "width": 80, "height": 64, "strength": 0.5, "resize_mode": "CropAndResize", "preserve_color": False,
                "positive_prompts": [], "negative_prompts": [], "translate_prompts": True,
                "inference": {"steps": 10, "sampler": "Euler", "clip_skip": 1, "cfg_scale": 7.5},
                "adapters": [], "main_model_vae": False,
            }  # fmt: skip
            row = {"uid": uid, "status": status, "claim": claim, "seeds": seeds, "spec": json.dumps(spec)}
            connection.execute(
                sa.text(
                    "INSERT INTO tasks (uid, account_id, action, status, seed, seeds, cost, spec, notices, claim,"
                    f" images, created) VALUES (:uid, 1, 'ApplyReferenceStyle', :status, 7, {as_json('seeds')}, 1,"
                    f" {as_json('spec')}, '[]', :claim, '[]', 1795746231.25)"
                ),
                row,
            )
        connection.execute(sa.text("UPDATE tasks SET cost = 2 WHERE uid = :uid"), {"uid": OLD[1]})
        connection.execute(
            sa.text("INSERT INTO requests VALUES (1, 'old', :digest, :uid, :now)"),
            {"digest": hashlib.sha256(b"body").digest(), "uid": OLD[0], "now": time.time()},
        )
    db.dispose()


def test_the_revision_that_the_code_names_is_the_last(db: sa.Engine) -> None:
    config = Config()
    config.set_main_option("script_location", "restyle:migrations")
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_a_database_that_is_up_to_date_opens_without_its_history(database_url: str) -> None:
    open_database(database_url).dispose()
    script = (
        "import sys\n"
        "from restyle.database import open_database\n"
        "open_database(sys.argv[1]).dispose()\n"
        "print('alembic' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, database_url], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_database_of_a_newer_restyle_is_left_alone(database_url: str) -> None:
    db = open_database(database_url)
    with writing(db) as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = 'r9999'"))
    db.dispose()
    with pytest.raises(RestyleError, match=r"newer Restyle \(revision r9999\)"):
        open_database(database_url)


def test_a_file_that_is_no_database_is_refused_with_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite3"
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(RestyleError, match=r"x\.sqlite3 cannot be opened: file is not a database; .*restore a backup"):
        open_database(f"sqlite:///{path}")


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
