"""The tables, and how a database is opened, read and written. SQLite unless the URL says PostgreSQL."""

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
MIGRATION_LOCK = 0x7265_7374
"""Number of the PostgreSQL advisory lock under which the schema is brought up to date ("rest")."""

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""A number the database counts up: SQLite does so only for a column of type INTEGER."""


class Raw(sa.types.TypeDecorator[str]):
    """The text of a column just as it is stored, for ``sa.cast(column, Raw)``: reading it never fails.

    A JSON column read as JSON raises where one row holds something else, and takes all rows of the query along.
    """

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        return dialect.type_descriptor(sa.LargeBinary() if dialect.name == "sqlite" else sa.Text())

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> str | None:
        # What is not UTF-8 becomes escapes that JSON does not know, so that nothing reads it by mistake.
        return value.decode(errors="backslashreplace") if isinstance(value, bytes) else value


accounts = sa.Table(
    "accounts",
    metadata,
    sa.Column("id", Serial, primary_key=True, autoincrement=True),
    sa.Column("total_credits", sa.BigInteger, nullable=False),
    sa.Column("used_credits", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("unlimited", sa.Boolean, nullable=False),
    # May see and change what belongs to the service: models, accounts, the queue.
    sa.Column("operator", sa.Boolean, nullable=False, server_default=sa.false()),
    # Grows by one over all accounts each time a task is claimed: the smallest was served longest ago.
    sa.Column("served", sa.BigInteger, nullable=False, server_default="0", index=True),
    sa.Column("created", sa.Double, nullable=False),
    sa.CheckConstraint("used_credits >= 0", name="used_not_negative"),
    sa.CheckConstraint("unlimited OR used_credits <= total_credits", name="used_within_total"),
)

keys = sa.Table(
    "keys",
    metadata,
    sa.Column("public_key", sa.Text, primary_key=True),
    sa.Column("account_id", sa.ForeignKey("accounts.id"), nullable=False, index=True),
    # For people alone; empty where nobody gave one.
    sa.Column("name", sa.Text, nullable=False, server_default=""),
    sa.Column("sealed_private_key", sa.LargeBinary, nullable=False),
    sa.Column("disabled", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("requires_timestamp", sa.Boolean, nullable=False),
    # Tasks of a higher one go first; those of the same take turns by account.
    sa.Column("priority", sa.Integer, nullable=False, server_default="0"),
    sa.Column("created", sa.Double, nullable=False),
)

tasks = sa.Table(
    "tasks",
    metadata,
    # Counts up in order of acceptance, which a uid (whole seconds, one counter per process) does not promise.
    sa.Column("id", Serial, primary_key=True, autoincrement=True),
    sa.Column("uid", sa.String(20), nullable=False, unique=True),
    sa.Column("account_id", sa.ForeignKey("accounts.id"), nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("seed", sa.BigInteger, nullable=False),
    sa.Column("seeds", sa.JSON, nullable=False),
    sa.Column("cost", sa.BigInteger, nullable=False),
    sa.Column("spec", sa.JSON, nullable=False),
    sa.Column("notices", sa.JSON, nullable=False),
    # Names one run of the task. Null while nobody runs it; a finish must show the claim it ran under.
    sa.Column("claim", sa.Text),
    # Whose claim it is: a machine of the fleet; null where one service alone runs the tasks.
    sa.Column("machine", sa.BigInteger),
    sa.Column("priority", sa.Integer, nullable=False, server_default="0"),
    # What a machine must have to draw it (restyle.queue.needs); empty: whatever draws.
    sa.Column("needs", sa.Text, nullable=False, server_default=""),
    sa.Column("deaths", sa.Integer, nullable=False, server_default="0"),
    sa.Column("progress", sa.Double, nullable=False, server_default="0"),
    sa.Column("images", sa.JSON, nullable=False),
    sa.Column("error_code", sa.Integer, nullable=False, server_default="0"),
    sa.Column("error_message", sa.Text, nullable=False, server_default=""),
    sa.Column("created", sa.Double, nullable=False),
    sa.Column("started", sa.Double),
    sa.Column("finished", sa.Double),
    sa.Column("expires", sa.Double),
    sa.Column("swept", sa.Boolean, nullable=False, server_default=sa.false()),
    # When its owner marked it; its pictures and its record then stay, and ``expires`` is null.
    sa.Column("favourite", sa.Double),
    sa.Index("ix_tasks_account_id_favourite", "account_id", "favourite"),
    sa.Index("ix_tasks_status_account_id_id", "status", "account_id", "id"),
    sa.Index("ix_tasks_account_id_status", "account_id", "status"),
    sa.Index("ix_tasks_swept_expires", "swept", "expires"),
    sa.Index("ix_tasks_finished", "finished"),
)

machines = sa.Table(
    "machines",
    metadata,
    sa.Column("id", Serial, primary_key=True, autoincrement=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("device", sa.Text, nullable=False),
    # Bytes that were free when the machine last said so.
    sa.Column("free_memory", sa.BigInteger, nullable=False),
    sa.Column("slots", sa.Integer, nullable=False),
    sa.Column("ready", sa.Boolean, nullable=False, server_default=sa.false()),
    # What it can draw (restyle.conversion.offer), and the digest that changes with it.
    sa.Column("offer", sa.JSON, nullable=False),
    sa.Column("offer_digest", sa.Text, nullable=False),
    # SHA-256 of the checkpoints that its workers have loaded.
    sa.Column("loaded", sa.JSON, nullable=False),
    # By the clock of the database, so that those of machines need not agree.
    sa.Column("started", sa.Double, nullable=False),
    sa.Column("heard", sa.Double, nullable=False),
)

requests = sa.Table(
    "requests",
    metadata,
    sa.Column("account_id", sa.ForeignKey("accounts.id"), primary_key=True),
    sa.Column("request_uuid", sa.Text, primary_key=True),
    sa.Column("body_digest", sa.LargeBinary, nullable=False),
    # Stands for the signed text: two requests of one key have the same signature only where they sign the same text.
    sa.Column("signature", sa.String(40)),
    sa.Column("uid", sa.String(20), nullable=False),
    sa.Column("created", sa.Double, nullable=False, index=True),
    sa.Index("ix_requests_account_id_signature", "account_id", "signature"),
)

uploads = sa.Table(
    "uploads",
    metadata,
    sa.Column("id", sa.String(20), primary_key=True),
    sa.Column("account_id", sa.ForeignKey("accounts.id"), nullable=False, index=True),
    # The file's, as its owner knows it.
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("width", sa.Integer, nullable=False),
    sa.Column("height", sa.Integer, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("created", sa.Double, nullable=False),
    sa.Column("expires", sa.Double, nullable=False, index=True),
)

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("id", sa.String(20), primary_key=True),
    sa.Column("account_id", sa.ForeignKey("accounts.id"), nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    # Of the key that it was asked for with, as its tasks have it.
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("created", sa.Double, nullable=False, index=True),
    sa.Index("ix_runs_account_id_id", "account_id", "id"),
)

run_items = sa.Table(
    "run_items",
    metadata,
    sa.Column("run_id", sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    # What sets it apart in its run: a file's name, a strength, a model, a seed.
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("raw", sa.Text, nullable=False),
    sa.Column("style", sa.Text, nullable=False),
    sa.Column("asked", sa.JSON, nullable=False),
    # Null until it is a task; a task that is tried again is another one.
    sa.Column("uid", sa.String(20), index=True),
    sa.Column("attempt", sa.Integer, nullable=False, server_default="0"),
    sa.Column("waiting", sa.Boolean, nullable=False),
    sa.Column("error_code", sa.Integer, nullable=False, server_default="0"),
    sa.Column("error_message", sa.Text, nullable=False, server_default=""),
    sa.Index("ix_run_items_waiting", "waiting"),
)

styles = sa.Table(
    "styles",
    metadata,
    sa.Column("account_id", sa.ForeignKey("accounts.id"), primary_key=True),
    sa.Column("code", sa.Text, primary_key=True),
    # Under which its picture is stored; another with every save.
    sa.Column("uid", sa.String(20), nullable=False, unique=True),
    sa.Column("settings", sa.JSON, nullable=False),
    sa.Column("picture_bytes", sa.BigInteger, nullable=False),
    sa.Column("thumbnail", sa.LargeBinary, nullable=False),
    sa.Column("created", sa.Double, nullable=False),
)


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
    """A connection to read with, which waits for no writer. On SQLite it sees one state of the database throughout."""
    with db.connect() as connection:
        yield connection


@contextmanager
def writing(db: sa.Engine) -> Iterator[sa.Connection]:
    """One transaction, committed at the end of the block, undone by an exception.

    SQLite has one writer at a time: the write lock is taken at the start, so that no transaction fails half-way because
    another wrote since it read; and inside one process writers queue on a lock of ours, which wakes the next at once
    where SQLite's own waiting sleeps up to 100 ms. Whoever does not get either in time is told so by SQLAlchemy's
    TimeoutError and OperationalError.
    """
    lock: threading.Lock | None = db.get_execution_options().get("restyle_lock")
    if lock is None:
        with db.begin() as connection:
            yield connection
        return
    if not lock.acquire(timeout=BUSY_SECONDS):
        raise PoolTimeoutError(f"the database could not be written within {BUSY_SECONDS} s")
    try:
        with db.connect() as connection, connection.execution_options(restyle_write=True).begin():
            yield connection
    finally:
        lock.release()


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
