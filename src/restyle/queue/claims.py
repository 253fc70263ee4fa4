"""Tasks as workers see them: claimed, carried on, ended. Every change shows the claim it is made under."""

import secrets
import time
from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa

from restyle.database import accounts, reading, tasks, writing
from restyle.queue.spec import Claim, Spec
from restyle.queue.store import Status, end_in_error
from restyle.settings import Settings
from restyle.wire.codes import Code


class Claims:
    """The workers' side of the task table; :class:`restyle.queue.store.TaskStore` is the clients'."""

    def __init__(self, db: sa.Engine, settings: Settings) -> None:
        self._db = db
        self._settings = settings

    def waiting(self) -> bool:
        """Whether there is a task to claim; asks without holding up a writer."""
        with reading(self._db) as connection:
            return connection.execute(sa.select(sa.exists().where(_interrupted() | _queued()))).scalar_one()

    def next(self) -> Claim | None:
        """Claim the task whose turn it is, None if there is none.

        First come tasks whose run was interrupted, so that to their owner they go on running; then the oldest task of
        the account that was served longest ago.
        """
        with writing(self._db) as connection:
            again = sa.select(tasks.c.id, tasks.c.account_id).where(_interrupted()).order_by(tasks.c.id).limit(1)
            row = connection.execute(again).one_or_none()
            if row is None:
                heads = (
                    sa.select(tasks.c.account_id, sa.func.min(tasks.c.id).label("id"))
                    .where(_queued())
                    .group_by(tasks.c.account_id)
                    .subquery()
                )
                turn = sa.select(heads.c.id, heads.c.account_id).join(accounts, accounts.c.id == heads.c.account_id)
                row = connection.execute(turn.order_by(accounts.c.served, accounts.c.id).limit(1)).one_or_none()
                if row is None:
                    return None
            claim = secrets.token_hex(8)
            take = (
                sa.update(tasks)
                .where(tasks.c.id == row.id, _interrupted() | _queued())
                .values(status=Status.RUNNING, claim=claim, started=sa.func.coalesce(tasks.c.started, time.time()))
                .returning(tasks.c.uid, tasks.c.seeds, tasks.c.spec)
            )
            taken = connection.execute(take).one_or_none()
            if taken is None:  # terminated at this moment (on PostgreSQL, where writers do not queue)
                return None
            last = sa.select(sa.func.max(accounts.c.served)).scalar_subquery()
            serve = sa.update(accounts).where(accounts.c.id == row.account_id)
            connection.execute(serve.values(served=last + 1))
        return Claim(taken.uid, claim, tuple(taken.seeds), Spec.from_json(taken.spec))

    def progress(self, claim: Claim, fraction: float) -> bool:
        """Record progress, which never falls, also when a task runs again. False if the run is no longer wanted."""
        higher = sa.case((tasks.c.progress < fraction, fraction), else_=tasks.c.progress)
        with writing(self._db) as connection:
            return connection.execute(sa.update(tasks).where(_under(claim)).values(progress=higher)).rowcount == 1

    def finish(self, claim: Claim, images: Sequence[str], notices: Sequence[str] = ()) -> bool:
        """End the task as Finished with ``images`` (storage keys), and ``notices`` added to those it was accepted with.

        False if the run is no longer wanted.
        """
        now = time.time()
        end: dict[str, Any] = {
            "status": Status.FINISHED,
            "images": list(images),
            "progress": 1.0,
            "finished": now,
            "expires": now + self._settings.result_seconds,
            "claim": None,
        }
        with writing(self._db) as connection:
            if notices:
                before = connection.execute(sa.select(tasks.c.notices).where(_under(claim))).scalar_one_or_none()
                end["notices"] = [*(before or ()), *notices]
            return connection.execute(sa.update(tasks).where(_under(claim)).values(end)).rowcount == 1

    def fail(self, claim: Claim, code: Code, message: str) -> bool:
        """End the task as Error and return its credits. False if the run is no longer wanted."""
        with writing(self._db) as connection:
            return end_in_error(connection, _under(claim), code, message)

    def died(self, claim: Claim) -> bool:
        """The worker died of itself: the task runs again, or ends as Error 5101 when that was its last attempt.

        True if the task runs again.
        """
        with writing(self._db) as connection:
            count = (
                sa.update(tasks)
                .where(_under(claim))
                .values(deaths=tasks.c.deaths + 1, claim=None)
                .returning(tasks.c.deaths)
            )
            deaths = connection.execute(count).scalar_one_or_none()
            if deaths is None:
                return False
            if deaths < self._settings.task_attempts:
                return True
            end_in_error(
                connection,
                tasks.c.uid == claim.uid,
                Code.ENGINE_FAILED,
                f"the worker process died {deaths} times while it ran this task",
            )
            return False

    def interrupt(self, claim: Claim) -> None:
        """The run was broken off for no fault of the task: it runs again, and no attempt is counted."""
        with writing(self._db) as connection:
            connection.execute(sa.update(tasks).where(_under(claim)).values(claim=None))

    def interrupt_all(self, held: Collection[str]) -> list[str]:
        """What runs in the records, but under none of the claims that are ``held``, runs again. Returns the uids."""
        left = (tasks.c.status == Status.RUNNING) & tasks.c.claim.is_not(None) & tasks.c.claim.not_in(held)
        with writing(self._db) as connection:
            again = sa.update(tasks).where(left).values(claim=None).returning(tasks.c.uid)
            return list(connection.scalars(again))


def _queued() -> sa.ColumnElement[bool]:
    return tasks.c.status == Status.QUEUING


def _interrupted() -> sa.ColumnElement[bool]:
    return (tasks.c.status == Status.RUNNING) & tasks.c.claim.is_(None)


def _under(claim: Claim) -> sa.ColumnElement[bool]:
    return (tasks.c.uid == claim.uid) & (tasks.c.status == Status.RUNNING) & (tasks.c.claim == claim.claim)
