"""How a database is opened, read and written. SQLite unless the URL says PostgreSQL."""

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from sqlite3 import SQLITE_ERROR
from sqlite3 import Connection as SqliteConnection
from sqlite3 import Error as SqliteError
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    InternalError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from restyle.migrations import HEAD
from restyle.private import close_to_others, make_private
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

if TYPE_CHECKING:
    from alembic.config import Config

BUSY_SECONDS = 30
REST_SECONDS = 5.0
WATCHFUL = {
    "connect_timeout": "10",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "25000",
}
"""How PostgreSQL is connected to unless the URL says otherwise (libpq's names). A server whose machine is gone says
nothing, and the system's own times would have whoever waits for it wait a quarter of an hour."""
MIGRATION_LOCK = 0x7265_7374
"""Number of the PostgreSQL advisory lock under which the schema is brought up to date ("rest")."""


def open_database(url: str) -> sa.Engine:
    """Open the database at ``url``, created and brought up to date if need be.

    Any number of processes may do so at once, on an empty folder too. Raises :class:`RestyleError` (5000) for a URL
    that cannot be read, a driver that is not installed, and a database that a newer Restyle has written.
    """
    try:
        parsed = sa.make_url(url)
    except ArgumentError as error:
        raise RestyleError(Code.INTERNAL_ERROR, f"database_url is not an SQLAlchemy URL: {error}") from error
    try:
        match parsed.get_backend_name():
            case "sqlite":
                return _open_sqlite(parsed)
            case "postgresql" | "postgres":
                return _open_postgresql(parsed)
            case other:
                raise RestyleError(
                    Code.INTERNAL_ERROR, f"database_url names {other}; Restyle keeps SQLite or PostgreSQL"
                )
    except (SQLAlchemyError, SqliteError, OSError) as error:
        where = parsed.render_as_string(hide_password=True)
        why = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise RestyleError(
            Code.INTERNAL_ERROR,
            f"the database {where} cannot be opened: {why}; start it, end what holds it, or restore a backup",
        ) from error


def migrate(url: str, revision: str = "") -> str:
    """Bring the database at ``url`` to ``revision``, the newest unless given, under the lock that every start takes.

    Returns the revision. Raises :class:`RestyleError`: as :func:`open_database`, and 230 for one that is not known.
    """
    from alembic import command
    from alembic.script import ScriptDirectory

    db = open_database(url)
    known = [script.revision for script in ScriptDirectory.from_config(_history()).walk_revisions()]
    revision = revision or HEAD
    try:
        if revision not in known:
            raise RestyleError(
                Code.PARAMETER_NOT_AVAILABLE,
                f"there is no revision {revision}; there are {', '.join(reversed(known))}",
                field="revision",
            )
        with writing(db) as connection:
            if db.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_LOCK)))
            config = _history(connection)
            command.downgrade(config, revision)  # opening it has brought it to the newest
    finally:
        db.dispose()
    return revision


@contextmanager
def reading(db: sa.Engine) -> Iterator[sa.Connection]:
    """A connection to read with, which waits for no writer. On SQLite it sees one state of the database throughout.

    On PostgreSQL each statement is a transaction of its own: it sees no less than it would inside a longer one, and
    the two words to the server that begin and end that one are saved.
    """
    with db.connect() as connection:
        yield _by_itself(connection)


@contextmanager
def writing(db: sa.Engine, *, together: bool = True) -> Iterator[sa.Connection]:
    """One transaction, committed at the end of the block, undone by an exception.

    Without ``together`` what is written need not be one: on PostgreSQL each statement is a transaction then, as where
    there is only one.

    SQLite has one writer at a time: the write lock is taken at the start, so that no transaction fails half-way because
    another wrote since it read; and inside one process writers queue on a lock of ours, which wakes the next at once
    where SQLite's own waiting sleeps up to 100 ms. Whoever does not get either in time is told so by SQLAlchemy's
    TimeoutError and OperationalError.
    """
    lock: threading.Lock | None = db.get_execution_options().get("restyle_lock")
    if lock is None:
        if together:
            with db.begin() as connection:
                yield connection
        else:
            with db.connect() as connection:
                yield _by_itself(connection)
        return
    if not lock.acquire(timeout=BUSY_SECONDS):
        raise PoolTimeoutError(f"the database could not be written within {BUSY_SECONDS} s")
    try:
        with db.connect() as connection, connection.execution_options(restyle_write=True).begin():
            yield connection
    finally:
        lock.release()


def time_of(db: sa.Engine | sa.Connection) -> sa.ColumnElement[float]:
    """Unix seconds by the one clock of all who share the database: PostgreSQL's; with SQLite, this machine's."""
    if db.dialect.name == "postgresql":
        return sa.cast(sa.extract("epoch", sa.func.clock_timestamp()), sa.Double)
    return sa.literal(time.time())


def _by_itself(connection: sa.Connection) -> sa.Connection:
    """``connection``, each of whose statements is committed as it ends, where the database has a mode for that."""
    if connection.dialect.name != "postgresql":
        return connection
    return connection.execution_options(isolation_level="AUTOCOMMIT")


def may_pass(error: Exception) -> bool:
    """Whether what failed with ``error`` may go well when it is tried again: the database is away, full, locked.

    Not so where it refuses the values themselves, nor where they never reached it.
    """
    if isinstance(error, DBAPIError):
        return not isinstance(error, IntegrityError | DataError)
    return isinstance(error, PoolTimeoutError | OSError)


def unavailable(error: Exception) -> bool:
    """Whether ``error`` says that the database is away, full, locked or read-only, not that a statement is wrong."""
    if isinstance(error, OperationalError | InterfaceError | InternalError):
        # SQLite's driver calls it an operational error, too, that there is no such table.
        return getattr(error.orig, "sqlite_errorcode", None) != SQLITE_ERROR
    return isinstance(error, PoolTimeoutError)


def _open_sqlite(url: sa.URL) -> sa.Engine:
    name = url.database or ":memory:"
    uri = name.startswith("file:")  # only then does the rest mean more than a file's name
    if name == ":memory:" or (uri and ("mode=memory" in name or url.query.get("mode") == "memory")):
        raise RestyleError(Code.INTERNAL_ERROR, "database_url is SQLite in memory, which worker processes cannot share")
    path = Path(name)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    db = sa.create_engine(
        url, pool_size=16, max_overflow=48, hide_parameters=True, connect_args={"timeout": BUSY_SECONDS}
    )
    db.update_execution_options(restyle_lock=threading.Lock())

    @sa.event.listens_for(db, "connect")
    def _(connection: SqliteConnection, _record: object) -> None:
        connection.isolation_level = None  # transactions are begun below, not by the driver's guess
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")  # an accepted task outlives a power cut

    @sa.event.listens_for(db, "begin")
    def _(connection: sa.Connection) -> None:
        write = connection.get_execution_options().get("restyle_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    # Switching to WAL needs the file alone and does not wait for it, hence a lock beside the database.
    with _closed_on_error(db), make_private(path.with_name(path.name + ".lock")).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Only a file that is not there yet may be opened here: closing one drops the locks that SQLite holds on it in
        # this process. It makes the other two with the mode of the first.
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        for end in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                close_to_others(path.with_name(path.name + end))
        with db.connect() as connection:
            driver = connection.connection.driver_connection
            assert isinstance(driver, SqliteConnection)
            driver.execute("PRAGMA journal_mode = WAL")
        with writing(db) as connection:
            _migrate(connection)
    return db


def _open_postgresql(url: sa.URL) -> sa.Engine:
    try:
        db = sa.create_engine(
            url.set(drivername="postgresql+psycopg"),
            pool_size=16,
            max_overflow=48,
            hide_parameters=True,
            connect_args={name: value for name, value in WATCHFUL.items() if name not in url.query},
        )
        _ping_after_a_rest(db)
    except ImportError as error:
        raise RestyleError(
            Code.INTERNAL_ERROR, "database_url is PostgreSQL, whose driver comes with: pip install 'restyle[postgres]'"
        ) from error
    with _closed_on_error(db), writing(db) as connection:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_LOCK)))
        _migrate(connection)
    return db


def _ping_after_a_rest(db: sa.Engine) -> None:
    """Try a pooled connection that nobody used for a while before it is used.

    Each time would be a transaction more for every one; and where a connection that was used just now is dead, whoever
    uses it next is told so, and the pool begins anew.
    """

    @sa.event.listens_for(db, "checkin")
    def _(_connection: object, record: Any) -> None:
        record.info["used"] = time.monotonic()

    @sa.event.listens_for(db, "checkout")
    def _(connection: Any, record: Any, _proxy: object) -> None:
        if time.monotonic() - record.info.get("used", time.monotonic()) < REST_SECONDS:
            return
        try:
            alive = db.dialect.do_ping(connection)
        except db.dialect.loaded_dbapi.Error:
            alive = False
        if not alive:
            raise sa.exc.DisconnectionError


@contextmanager
def _closed_on_error(db: sa.Engine) -> Iterator[None]:
    try:
        yield
    except BaseException:
        db.dispose()
        raise


def _history(connection: sa.Connection | None = None) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "restyle:migrations")
    config.attributes["connection"] = connection
    return config


def _migrate(connection: sa.Connection) -> None:
    if sa.inspect(connection).has_table("alembic_version"):
        present = set(connection.scalars(sa.text("SELECT version_num FROM alembic_version")))
        if present == {HEAD}:
            return  # and Alembic, which takes its time to load, is not needed
    from alembic import command
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    config = _history(connection)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    present = set(MigrationContext.configure(connection).get_current_heads())
    if not present <= known:
        unknown = ", ".join(sorted(present - known))
        raise RestyleError(
            Code.INTERNAL_ERROR,
            f"the database was written by a newer Restyle (revision {unknown}); install that one, or restore a backup",
        )
    command.upgrade(config, "head")
