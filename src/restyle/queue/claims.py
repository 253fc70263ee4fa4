"""Tasks as workers see them: claimed, carried on, ended. Every change shows the claim it is made under."""

import secrets
import time
from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa
import structlog

from restyle.database import Raw, accounts, may_pass, reading, tasks, writing
from restyle.queue.claim import Claim, stored_list
from restyle.queue.lock import SupervisorLock
from restyle.queue.reach import Reach
from restyle.queue.store import Status, end_in_error
from restyle.settings import Settings
from restyle.wire.codes import Code

log = structlog.get_logger(__name__)


class Claims:
    """The workers' side of the task table; :class:`restyle.queue.store.TaskStore` is the clients'.

    ``reach`` says which tasks may be claimed; all, unless given.
    """

    def __init__(self, db: sa.Engine, settings: Settings, reach: Reach | None = None) -> None:
        self._db = db
        self._settings = settings
        self._reach: Reach = SupervisorLock(db) if reach is None else reach
        # Rows that could be neither claimed nor ended, by their id: without them the queue goes on.
        self._spoilt: set[int] = set()

    def waiting(self) -> bool:
        """Whether there is a task to claim; asks without holding up a writer."""
        with reading(self._db) as connection:
            mine = self._reach.eligible(connection)
            waits = sa.exists().where(mine, self._interrupted() | self._queued())
            return connection.execute(sa.select(waits)).scalar_one()

    def next(self) -> Claim | None:
        """Claim the task whose turn it is, None if there is none.

        First come tasks whose run was interrupted, so that to their owner they go on running; then, of those with the
        highest priority, the oldest task of the account that was served longest ago. A task whose row cannot be read
        ends as Error 5000 on the way.
        """
        if self._db.dialect.name == "sqlite" and not self.waiting():
            return None  # nobody who writes was held up for nothing
        while True:
            id: int | None = None
            try:
                with writing(self._db) as connection:
                    turn = self._turn(connection)
                    if turn is None:
                        return None
                    id, account_id = turn
                    claim = self._take(connection, id, account_id)
                if claim is not None:
                    return claim
            except Exception as error:
                if id is None or may_pass(error):
                    raise
                self._spoilt.add(id)
                log.exception("a task cannot be worked with, and is left alone until the next start", id=id)

    def _turn(self, connection: sa.Connection) -> tuple[int, int] | None:
        """The id and account of the task whose turn it is."""
        mine = self._reach.eligible(connection)
        first, then = sa.literal(0).label("rank"), sa.literal(1).label("rank")
        no = sa.literal(0).label("served")
        again = sa.select(first, no, tasks.c.id, tasks.c.account_id).where(mine, self._interrupted())
        highest = sa.select(sa.func.max(tasks.c.priority)).where(mine, self._queued()).scalar_subquery()
        heads = (
            sa.select(tasks.c.account_id, sa.func.min(tasks.c.id).label("id"))
            .where(mine, self._queued(), tasks.c.priority == highest)
            .group_by(tasks.c.account_id)
            .subquery()
        )
        turn = sa.select(then, accounts.c.served, heads.c.id, heads.c.account_id).join(
            accounts, accounts.c.id == heads.c.account_id
        )
        oldest = again.order_by(tasks.c.id).limit(1).subquery()
        next = turn.order_by(accounts.c.served, accounts.c.id).limit(1).subquery()
        both = sa.union_all(sa.select(oldest), sa.select(next)).order_by("rank").limit(1)
        row = connection.execute(both).one_or_none()
        return None if row is None else (row.id, row.account_id)

    def _take(self, connection: sa.Connection, id: int, account_id: int) -> Claim | None:
        """None where the task has ended: terminated at this moment, or because its row cannot be read."""
        claim = secrets.token_hex(8)
        take = (
            sa.update(tasks)
            .where(tasks.c.id == id, self._interrupted() | self._queued())
            .values(
                status=Status.RUNNING,
                claim=claim,
                machine=self._reach.machine,
                started=sa.func.coalesce(tasks.c.started, time.time()),
            )
            .returning(
                tasks.c.uid,
                tasks.c.needs,
                sa.cast(tasks.c.seeds, Raw).label("seeds"),
                sa.cast(tasks.c.spec, Raw).label("plan"),
            )
        )
        taken = connection.execute(take).one_or_none()
        if taken is None:  # on PostgreSQL, where writers do not queue
            return None
        last = sa.select(sa.func.max(accounts.c.served)).scalar_subquery()
        connection.execute(sa.update(accounts).where(accounts.c.id == account_id).values(served=last + 1))
        try:
            return Claim.of(taken.uid, claim, taken.seeds, taken.plan, taken.needs)
        except ValueError as error:
            message = f"the stored task cannot be read by this release: {error}"
            end_in_error(connection, tasks.c.id == id, Code.INTERNAL_ERROR, message)
            log.error("a task cannot be read", task=taken.uid, reason=str(error))
            return None

    def _queued(self) -> sa.ColumnElement[bool]:
        return self._sound(tasks.c.status == Status.QUEUING)

    def _interrupted(self) -> sa.ColumnElement[bool]:
        return self._sound((tasks.c.status == Status.RUNNING) & tasks.c.claim.is_(None))

    def _sound(self, which: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
        return which & tasks.c.id.not_in(self._spoilt) if self._spoilt else which

    def progress(self, claim: Claim, fraction: float) -> bool:
        """Record progress, which never falls, also when a task runs again. False if the run is no longer wanted."""
        higher = sa.case((tasks.c.progress < fraction, fraction), else_=tasks.c.progress)
        with writing(self._db, together=False) as connection:
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
        with writing(self._db, together=bool(notices)) as connection:
            if notices:
                before = sa.select(sa.cast(tasks.c.notices, Raw)).where(_under(claim))
                end["notices"] = [*stored_list(connection.execute(before).scalar_one_or_none() or "[]"), *notices]
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
                self._reach.again(connection, [claim.uid])
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
            if connection.execute(sa.update(tasks).where(_under(claim)).values(claim=None)).rowcount:
                self._reach.again(connection, [claim.uid])

    def lost(self, held: Collection[str]) -> set[str]:
        """Those of the claims that are ``held`` which stand no more: the task was ended, or runs elsewhere."""
        return self._reach.lost(held) if held else set()

    def interrupt_all(self, held: Collection[str]) -> list[str]:
        """What runs in the records in this service's name, but under none of the claims that are ``held``, runs again.

        Returns the uids. What runs in the name of another machine is not touched.
        """
        left = (tasks.c.status == Status.RUNNING) & tasks.c.claim.is_not(None) & tasks.c.claim.not_in(held)
        ours = tasks.c.machine.is_not_distinct_from(self._reach.machine)
        with writing(self._db) as connection:
            again = sa.update(tasks).where(left, ours).values(claim=None).returning(tasks.c.uid)
            uids = list(connection.scalars(again))
            if uids:
                self._reach.again(connection, uids)
            return uids


def _under(claim: Claim) -> sa.ColumnElement[bool]:
    return (tasks.c.uid == claim.uid) & (tasks.c.status == Status.RUNNING) & (tasks.c.claim == claim.claim)
