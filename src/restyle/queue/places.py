"""The places of tasks in the queue."""

from collections import Counter

import sqlalchemy as sa

from restyle.database import accounts, tasks
from restyle.queue.record import Status

Lengths = dict[int, tuple[int, tuple[int, int]]]
"""By account: how many tasks it has queued, and its turn."""


def positions(connection: sa.Connection, account_id: int) -> dict[str, int]:
    """Place in the queue of each queued task of the account: exact, if nothing else is submitted.

    Tasks of a higher priority go first; of one priority accounts take turns.
    """
    queued = tasks.c.status == Status.QUEUING
    own = sa.select(tasks.c.uid, tasks.c.priority).where(queued, tasks.c.account_id == account_id)
    uids: dict[int, list[str]] = {}
    for uid, priority in connection.execute(own.order_by(tasks.c.id)):
        uids.setdefault(priority, []).append(uid)
    query = (
        sa.select(tasks.c.priority, tasks.c.account_id, sa.func.count(), accounts.c.served)
        .join_from(tasks, accounts)
        .where(queued)
        .group_by(tasks.c.priority, tasks.c.account_id, accounts.c.served)
    )
    lengths: dict[int, Lengths] = {}
    for priority, account, count, served in connection.execute(query):
        lengths.setdefault(priority, {})[account] = (count, (served, account))
    positions: dict[str, int] = {}
    ahead = 0
    for priority in sorted(lengths, reverse=True):
        places = _places(lengths[priority], account_id, uids.get(priority, []))
        positions |= {uid: ahead + place for uid, place in places.items()}
        ahead += sum(count for count, _ in lengths[priority].values())
    return positions


def _places(lengths: Lengths, account_id: int, uids: list[str]) -> dict[str, int]:
    """Place in the round robin of each of ``uids``, which are the account's own.

    The n-th task of an account starts after the first n of every account whose turn comes before, and the first n - 1
    of every account whose turn comes after.
    """
    if account_id not in lengths:
        return {}
    turn = lengths[account_id][1]
    others = [(count, other) for account, (count, other) in lengths.items() if account != account_id]
    before = Counter(count for count, other in others if other < turn)
    after = Counter(count for count, other in others if other > turn)
    return {
        uid: n
        + sum(min(count, n) * times for count, times in before.items())
        + sum(min(count, n - 1) * times for count, times in after.items())
        for n, uid in enumerate(uids, start=1)
    }
