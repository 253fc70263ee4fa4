"""Results that their owner marked: they outlive their time and stay until they are unmarked, within a quota."""

import time

import sqlalchemy as sa

from restyle.database import Raw, accounts, reading, tasks, writing
from restyle.queue.claim import stored_list
from restyle.queue.record import RECORD, Status, TaskRecord, record_of
from restyle.settings import Settings
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

FIELD = "TaskUID"


class Favourites:
    """The favourites of all accounts. Their rows have no time at which they expire, so the sweep leaves them alone."""

    def __init__(self, db: sa.Engine, settings: Settings) -> None:
        self._db = db
        self._settings = settings

    def mark(self, account_id: int, uid: str) -> None:
        """Keep the task's pictures and record until :meth:`unmark`. Marking again changes nothing.

        Raises :class:`RestyleError`: 4006 for a task that is not the account's, 230 for one without pictures to keep,
        4013 where the account keeps too many already.
        """
        now = time.time()
        with writing(self._db) as connection:
            # Marks of one account follow each other from here on, so what is counted below stays true.
            lock = sa.select(accounts.c.id).where(accounts.c.id == account_id).with_for_update(key_share=True)
            connection.execute(lock).scalar_one()
            row = connection.execute(sa.select(*RECORD).where(*_which(account_id, uid))).one_or_none()
            if row is None:
                raise _unknown(uid)
            record = record_of(row, None, now)
            if record.favourite is not None:
                return
            if record.status is not Status.FINISHED or not record.images:
                what = "its pictures have expired" if record.status is Status.FINISHED else f"it is {record.status}"
                message = f"task {uid} has no pictures to keep: {what}"
                raise RestyleError(Code.PARAMETER_NOT_AVAILABLE, message, field=FIELD)
            kept, most = _pictures(connection, account_id), self._settings.max_favourites
            if kept + len(record.images) > most:
                message = f"the account keeps {kept} pictures as favourites, and may keep {most}; unmark some first"
                raise RestyleError(Code.QUOTA_USED, message, field=FIELD)
            change = sa.update(tasks).where(*_which(account_id, uid)).values(favourite=now, expires=None)
            connection.execute(change)

    def unmark(self, account_id: int, uid: str) -> None:
        """Let the task have its time again: pictures that would be deleted by now are gone with the next sweep.

        Raises :class:`RestyleError` (4006) for a task that is not the account's. Unmarking again changes nothing.
        """
        again = {"favourite": None, "expires": tasks.c.finished + self._settings.result_seconds}
        mine = _which(account_id, uid)
        with writing(self._db) as connection:
            if connection.execute(sa.select(tasks.c.id).where(*mine)).one_or_none() is None:
                raise _unknown(uid)
            connection.execute(sa.update(tasks).where(*mine, tasks.c.favourite.is_not(None)).values(again))

    def list(self, account_id: int, *, count: int, before: float | None = None) -> list[TaskRecord]:
        """The account's favourites, ``count`` at most, marked last first; those marked ``before`` then, Unix seconds,
        which is :attr:`TaskRecord.favourite` of the last of the page before.
        """
        query = sa.select(*RECORD).where(tasks.c.account_id == account_id, tasks.c.favourite.is_not(None))
        if before is not None:
            query = query.where(tasks.c.favourite < before)
        now = time.time()
        with reading(self._db) as connection:
            rows = connection.execute(query.order_by(tasks.c.favourite.desc()).limit(count)).all()
        return [record_of(row, None, now) for row in rows]

    def pictures(self, account_id: int) -> int:
        """How many pictures the account keeps as favourites; ``settings.max_favourites`` is the most."""
        with reading(self._db) as connection:
            return _pictures(connection, account_id)


def _which(account_id: int, uid: str) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    return tasks.c.account_id == account_id, tasks.c.uid == uid


def _pictures(connection: sa.Connection, account_id: int) -> int:
    query = sa.select(sa.cast(tasks.c.images, Raw))
    found = connection.scalars(query.where(tasks.c.account_id == account_id, tasks.c.favourite.is_not(None)))
    return sum(len(stored_list(text or "[]")) for text in found)


def _unknown(uid: str) -> RestyleError:
    return RestyleError(Code.TASK_NOT_FOUND, f"task {uid} not found", field=FIELD)
