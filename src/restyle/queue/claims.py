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
from restyle.queue.record import Status
from restyle.queue.store import end_in_error
from restyle.settings import Settings
from restyle.wire.codes import Code

log = structlog.get_logger(__name__)

# What every run says, put together once.
INTERRUPTED = (tasks.c.status == Status.RUNNING) & tasks.c.claim.is_(None)
UNDER = (
    (tasks.c.uid == sa.bindparam("task"))
    & (tasks.c.status == Status.RUNNING)
    & (tasks.c.claim == sa.bindparam("under"))
)
TAKE = (
    sa.update(tasks)
    .where(tasks.c.id == sa.bindparam("of"), INTERRUPTED | (tasks.c.status == Status.QUEUING))
    .values(
        status=Status.RUNNING,
        claim=sa.bindparam("by"),
        machine=sa.bindparam("at"),
        started=sa.func.coalesce(tasks.c.started, sa.bindparam("now", type_=sa.Double)),
    )
    .returning(
        tasks.c.uid,
        tasks.c.needs,
        sa.cast(tasks.c.seeds, Raw).label("seeds"),
        sa.cast(tasks.c.spec, Raw).label("plan"),
    )
)
SERVE = (
    sa.update(accounts)
    .where(accounts.c.id == sa.bindparam("whose"))
    .values(served=sa.select(sa.func.max(accounts.c.served)).scalar_subquery() + 1)
)
FRACTION = sa.bindparam("fraction", type_=sa.Double)
ADVANCE = (
    sa.update(tasks)
    .where(UNDER)
    .values(progress=sa.case((tasks.c.progress < FRACTION, FRACTION), else_=tasks.c.progress))
)
FINISH = (
    sa.update(tasks)
    .where(UNDER)
    .values(
        status=Status.FINISHED,
        images=sa.bindparam("results"),
        progress=1.0,
        finished=sa.bindparam("now"),
        expires=sa.bindparam("until"),
        claim=None,
    )
)


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
        self._turns = self._turns_of()

    def next(self) -> Claim | None:
        """Claim the task whose turn it is, None if there is none.

        First come tasks whose run was interrupted, so that to their owner they go on running; then, of those with the
        highest priority, the oldest task of the account that was served longest ago. A task whose row cannot be read
        ends as Error 5000 on the way.
        """
        while True:
            turn = self._turn()
            if turn is None:
                return None
            id, account_id = turn
            try:
                with writing(self._db) as connection:
                    claim = self._take(connection, id, account_id)
                if claim is not None:
                    return claim
            except Exception as error:
                if may_pass(error):
                    raise
                self._spoilt.add(id)
                self._turns = self._turns_of()
                log.exception("a task cannot be worked with, and is left alone until the next start", id=id)

    def _turn(self) -> tuple[int, int] | None:
        """The id and account of the task whose turn it is; asks without holding up a writer."""
        with reading(self._db) as connection:
            while True:
                row = connection.execute(self._turns, self._reach.eligible()).one_or_none()
                if row is None:
                    return None
                if self._reach.knows(row.needs):
                    return row.id, row.account_id

    def _turns_of(self) -> sa.CompoundSelect[Any]:
        """The question whose turn it is. Made once: SQLAlchemy takes longer to put it together than the database to
        answer it."""
        mine = self._reach.mine
        interrupted, queued = self._sound(INTERRUPTED), self._sound(tasks.c.status == Status.QUEUING)
        none = sa.literal_column("0", sa.BigInteger).label("served")
        again = sa.select(sa.literal_column("0").label("rank"), none, tasks.c.id, tasks.c.account_id, tasks.c.needs)
        highest = sa.select(sa.func.max(tasks.c.priority)).where(mine, queued).scalar_subquery()
        heads = (
            sa.select(tasks.c.account_id, sa.func.min(tasks.c.id).label("id"))
            .where(mine, queued, tasks.c.priority == highest)
            .group_by(tasks.c.account_id)
            .subquery()
        )
        turn = (
            sa.select(
                sa.literal_column("1").label("rank"), accounts.c.served, heads.c.id, heads.c.account_id, tasks.c.needs
            )
            .join(accounts, accounts.c.id == heads.c.account_id)
            .join(tasks, tasks.c.id == heads.c.id)
        )
        oldest = again.where(mine, interrupted).order_by(tasks.c.id).limit(1).subquery()
        longest_ago = turn.order_by(accounts.c.served, accounts.c.id).limit(1).subquery()
        return sa.union_all(sa.select(oldest), sa.select(longest_ago)).order_by("rank").limit(1)

    def _take(self, connection: sa.Connection, id: int, account_id: int) -> Claim | None:
        """None where the task has ended: terminated at this moment, or because its row cannot be read."""
        claim = secrets.token_hex(8)
        values = {"of": id, "by": claim, "at": self._reach.machine, "now": time.time()}
        taken = connection.execute(TAKE, values).one_or_none()
        if taken is None:  # ended at this moment; or another was first, on PostgreSQL, where writers do not queue
            return None
        connection.execute(SERVE, {"whose": account_id})
        try:
            return Claim.of(taken.uid, claim, taken.seeds, taken.plan, taken.needs)
        except ValueError as error:
            message = f"the stored task cannot be read by this release: {error}"
            end_in_error(connection, tasks.c.id == id, Code.INTERNAL_ERROR, message)
            log.error("a task cannot be read", task=taken.uid, reason=str(error))
            return None

    def _sound(self, which: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
        return which & tasks.c.id.not_in(self._spoilt) if self._spoilt else which

    def progress(self, claim: Claim, fraction: float) -> bool:
        """Record progress, which never falls, also when a task runs again. False if the run is no longer wanted."""
        with writing(self._db, together=False) as connection:
            return connection.execute(ADVANCE, {**_named(claim), "fraction": fraction}).rowcount == 1

    def finish(self, claim: Claim, images: Sequence[str], notices: Sequence[str] = ()) -> bool:
        """End the task as Finished with ``images`` (storage keys), and ``notices`` added to those it was accepted with.

        False if the run is no longer wanted.
        """
        now = time.time()
        end = {**_named(claim), "now": now, "until": now + self._settings.result_seconds, "results": list(images)}
        with writing(self._db, together=bool(notices)) as connection:
            statement = FINISH
            if notices:
                before = sa.select(sa.cast(tasks.c.notices, Raw)).where(_under(claim))
                told = stored_list(connection.execute(before).scalar_one_or_none() or "[]")
                statement = FINISH.values(notices=[*told, *notices])
            return connection.execute(statement, end).rowcount == 1

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


def _named(claim: Claim) -> dict[str, str]:
    """The run that the statements below are about."""
    return {"task": claim.uid, "under": claim.claim}
