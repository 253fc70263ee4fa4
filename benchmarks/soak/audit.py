"""What the records and the storage must hold, whatever happened."""

import sqlalchemy as sa

from benchmarks.soak.stage import POSTGRES_CLOCK, Alone, Fleet
from restyle.database import accounts, reading, requests, tasks
from restyle.queue.record import UNFINISHED, Status
from restyle.queue.store import SUBMISSION_SECONDS
from tests.support.patience import wait_for


def credits_off(db: sa.Engine, account: int, told: int | None = None) -> int:
    """How many credits the account's balance is off: from its tasks in one look, or from what its client was told."""
    cost = sa.select(sa.func.coalesce(sa.func.sum(tasks.c.cost), 0))
    mine = cost.where(tasks.c.account_id == account, tasks.c.status != Status.ERROR).scalar_subquery()
    with reading(db) as connection:
        row = connection.execute(
            sa.select(accounts.c.used_credits, mine.label("kept")).where(accounts.c.id == account)
        ).one()
    return abs(int(row.used_credits) - int(row.kept if told is None else told))


def rows_of(db: sa.Engine, account: int) -> tuple[int, int, int]:
    """The account's tasks: all, those that have not ended, and those of more than one ``request_uuid``, or of none."""
    mine = tasks.c.account_id == account
    count = sa.select(sa.func.count()).select_from(tasks)
    named = sa.select(sa.func.count(sa.distinct(requests.c.uid))).where(requests.c.account_id == account)
    with reading(db) as connection:
        everything = int(connection.execute(count.where(mine)).scalar_one())
        left = int(connection.execute(count.where(mine, tasks.c.status.in_(UNFINISHED))).scalar_one())
        return everything, left, everything - int(connection.execute(named).scalar_one())


def orphans(stage: Alone | Fleet, db: sa.Engine) -> list[str]:
    """What lies in storage and belongs to nobody, or to a task that does not need it any more."""
    with reading(db) as connection:
        status = {row.uid: row.status for row in connection.execute(sa.select(tasks.c.uid, tasks.c.status))}
    found = [f"inputs/{uid}" for uid in stage.left("inputs") if status.get(uid) not in UNFINISHED]
    wanted = (*UNFINISHED, Status.FINISHED)
    return found + [f"results/{uid}" for uid in stage.left("results") if status.get(uid) not in wanted]


def wait_for_sweeps(stage: Alone | Fleet, db: sa.Engine) -> list[str]:
    """The orphans that no sweep finds. Images of a submission that was broken off are kept for a quarter of an hour:
    the clock that sweeps go by is set past it where it can be."""
    if stage.clocks is not None:
        stage.clocks.set("service" if isinstance(stage, Alone) else POSTGRES_CLOCK, SUBMISSION_SECONDS + 60)
    left: list[str] = []

    def swept() -> bool:
        left[:] = orphans(stage, db)
        return not left

    try:
        wait_for(swept)
    except AssertionError:
        return left
    return []
