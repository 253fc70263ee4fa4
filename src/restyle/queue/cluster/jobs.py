"""The jobs of Procrastinate: a call to whoever is free, committed with the task that it is for."""

from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from restyle.database import MIGRATION_LOCK, writing
from restyle.queue.needs import family_of
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

if TYPE_CHECKING:
    from procrastinate.manager import JobManager

TASK = "draw"
QUEUE = "draw"
"""The queue of tasks that anybody may draw; every engine has one of its own: ``draw-painter``."""


def queue_of(needs: str) -> str:
    """The queue that a task with these needs is called out in: machines listen to those of the engines they have."""
    family = family_of(needs)
    return f"{QUEUE}-{family}" if family else QUEUE


def queues_of(families: Iterable[str]) -> list[str]:
    """The queues that a machine with these engines listens to."""
    return [QUEUE, *(f"{QUEUE}-{family}" for family in families)]


class Calls:
    """Defers jobs in the transactions of others. Needs no connection of its own."""

    def __init__(self) -> None:
        self._manager = _manager()

    def call(self, connection: sa.Connection, tasks: Iterable[tuple[str, str]]) -> None:
        """Call somebody for each of ``tasks`` (uid, needs), once the caller's transaction is committed.

        Raises SQLAlchemy's errors as any other statement of the transaction.
        """
        from procrastinate.exceptions import ConnectorException
        from procrastinate.jobs import Job

        jobs = [
            Job(queue=queue_of(needs), lock=None, queueing_lock=None, task_name=TASK, task_kwargs={"uid": uid})
            for uid, needs in tasks
        ]
        if not jobs:
            return
        try:
            self._manager.batch_defer_jobs(jobs, connection=connection.connection.driver_connection)
        except ConnectorException as error:
            if error.__cause__ is None:
                raise
            raise _as_sqlalchemy(error.__cause__, connection.dialect) from error


def _as_sqlalchemy(error: BaseException, dialect: sa.Dialect) -> BaseException:
    """What SQLAlchemy would have raised, had the statement been its own: a full disk passes, whoever met it."""
    from psycopg import Error

    return sa.exc.DBAPIError.instance(f"call {QUEUE}", None, error, Error, hide_parameters=True, dialect=dialect)


def _manager() -> "JobManager":
    try:
        from procrastinate.manager import JobManager
        from procrastinate.sync_psycopg_connector import SyncPsycopgConnector
    except ImportError as error:
        raise RestyleError(
            Code.INTERNAL_ERROR, "a fleet needs Procrastinate, which comes with: pip install 'restyle[fleet]'"
        ) from error
    return JobManager(SyncPsycopgConnector())


def prepare(db: sa.Engine) -> None:
    """Make Procrastinate's tables, or bring those of an earlier release of it up to date.

    Any number of machines may do so at once. Raises :class:`RestyleError` (5000) where the database is no PostgreSQL,
    or Procrastinate is not installed.
    """
    if db.dialect.name != "postgresql":
        raise RestyleError(
            Code.INTERNAL_ERROR,
            "a fleet needs PostgreSQL, and database_url names none; set RESTYLE_DATABASE_URL=postgresql+psycopg://...",
        )
    _manager()
    folder = resources.files("procrastinate.sql")
    steps = sorted(path.name for path in (folder / "migrations").iterdir() if path.name.endswith(".sql"))
    with writing(db) as connection:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_LOCK)))
        if not sa.inspect(connection).has_table("procrastinate_jobs"):
            scripts = [(folder / "schema.sql").read_text(encoding="utf-8")]
        else:
            comment = sa.text("SELECT obj_description('procrastinate_jobs'::regclass)")
            done = connection.execute(comment).scalar_one_or_none() or ""
            later = [step for step in steps if step > done]
            if not later:
                return
            scripts = [(folder / "migrations" / step).read_text(encoding="utf-8") for step in later]
        driver = connection.connection.driver_connection
        assert driver is not None
        for script in scripts:
            driver.execute(script)
        connection.execute(sa.text(f"COMMENT ON TABLE procrastinate_jobs IS '{Path(steps[-1]).name}'"))
