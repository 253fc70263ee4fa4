"""One service at a time supervises the tasks of a database."""

import fcntl
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from restyle.database import writing
from restyle.private import make_private
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

ADVISORY_LOCK = 0x7265_7375
"""Number of the PostgreSQL advisory lock that a supervising service holds ("resu"), or a fleet's machines share."""
SWEEP_LOCK = 0x7265_7377
"""Number of the one that a sweep holds ("resw")."""


class SupervisorLock:
    """Held from :meth:`acquire` to :meth:`release`, or until the process ends, however it ends.

    A :class:`restyle.queue.reach.Reach` over all tasks. With ``shared``, which PostgreSQL alone knows, others that say
    so may hold it at the same time.
    """

    machine: int | None = None
    mine: sa.ColumnElement[bool] = sa.true()

    def __init__(self, db: sa.Engine, *, shared: bool = False) -> None:
        self._db = db
        self._shared = shared
        self._file: IO[str] | None = None
        self._connection: sa.Connection | None = None

    def acquire(self) -> None:
        """Raises :class:`RestyleError` (5000) where another service holds it."""
        taken = self._acquire_file() if self._db.dialect.name == "sqlite" else self._acquire_advisory()
        if not taken:
            where = self._db.url.render_as_string(hide_password=True)
            raise RestyleError(
                Code.INTERNAL_ERROR,
                f"another service already runs the tasks of {where}; stop it, or give this one its own"
                + ("" if self._db.dialect.name == "sqlite" else ", or run all of them with --role"),
            )

    def renew(self) -> None:
        """Make sure that it is still held, or take it again, and that SQLite's file can be written.

        Raises as :meth:`acquire`, and SQLAlchemy's errors.
        """
        if self._file is not None:  # a file's lock lasts as long as the process
            with writing(self._db):
                return
        if self._connection is not None:
            try:
                self._connection.execute(sa.select(1))
            except SQLAlchemyError:
                self.release()
            else:
                return
        self.acquire()

    def release(self) -> None:
        """Let another service have it."""
        if self._file is not None:
            self._file.close()
            self._file = None
        if self._connection is not None:
            # The session may be gone, and the lock with it. Where it is not, closing it is seen by the server a moment
            # later, which whoever comes next need not wait for.
            with suppress(SQLAlchemyError):
                unlock = sa.func.pg_advisory_unlock_shared if self._shared else sa.func.pg_advisory_unlock
                self._connection.execute(sa.select(unlock(ADVISORY_LOCK)))
            self._connection.invalidate()
            self._connection.close()
            self._connection = None

    def eligible(self) -> Mapping[str, Any]:
        """All tasks."""
        return {}

    def knows(self, needs: str) -> bool:
        """Whatever they need."""
        return True

    def again(self, connection: sa.Connection, uids: Sequence[str]) -> None:
        """Nobody else has to hear of it."""

    def lost(self, held: Collection[str]) -> set[str]:
        """Nobody else touches claims."""
        return set()

    def _acquire_file(self) -> bool:
        assert self._db.url.database is not None
        database = Path(self._db.url.database)
        file = make_private(database.with_name(database.name + ".service")).open("a")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        self._file = file
        return True

    def _acquire_advisory(self) -> bool:
        try:
            return self._try_advisory()
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
            return self._try_advisory()  # the session was cut in the pool; the pool has begun anew

    def _try_advisory(self) -> bool:
        lock = sa.func.pg_try_advisory_lock_shared if self._shared else sa.func.pg_try_advisory_lock
        connection = self._db.connect().execution_options(isolation_level="AUTOCOMMIT")
        taken = False
        try:
            taken = bool(connection.execute(sa.select(lock(ADVISORY_LOCK))).scalar_one())
        finally:
            if not taken:
                connection.close()
        if taken:
            self._connection = connection
        return taken


@contextmanager
def sweeping(db: sa.Engine) -> Iterator[bool]:
    """Whether this process may sweep now: on PostgreSQL one does at a time, however many share the tasks."""
    if db.dialect.name == "sqlite":
        yield True
        return
    with db.connect() as connection:
        yield bool(connection.execute(sa.select(sa.func.pg_try_advisory_xact_lock(SWEEP_LOCK))).scalar_one())
