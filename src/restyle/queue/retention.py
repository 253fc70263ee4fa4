"""Deletes what has had its time: inputs of ended tasks, expired results, old records. All times are in the database.

A sweep goes by the database's clock, so that a machine whose own is wrong deletes nothing too soon.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from queue import Empty, SimpleQueue

import sqlalchemy as sa
import structlog

from restyle.database import reading, requests, styles, tasks, time_of, writing
from restyle.queue.lock import sweeping
from restyle.queue.record import UNFINISHED, Status
from restyle.queue.store import REPEAT_SECONDS, SUBMISSION_SECONDS
from restyle.queue.uid import created
from restyle.settings import Settings
from restyle.storage import (
    INPUTS,
    PROBES,
    RESULTS,
    STYLES,
    Storage,
    StorageError,
    input_prefix,
    result_prefix,
    style_prefix,
)

BATCH = 500
SLICE = 2000
"""Folders of one place that a sweep looks at: with a sweep a minute, all of a day's of two million tasks in a day."""

log = structlog.get_logger(__name__)


class Retention:
    """A thread that sweeps every ``settings.sweep_seconds``, and cleans up after a task as soon as it has ended."""

    def __init__(self, db: sa.Engine, storage: Storage, settings: Settings) -> None:
        self._db = db
        self._storage = storage
        self._settings = settings
        self._todo: SimpleQueue[tuple[str, Status | None] | None] = SimpleQueue()
        self._swept: dict[str, str] = {}
        self._thread = threading.Thread(target=self._work, name="retention", daemon=True)

    def start(self) -> None:
        """Sweep now, and again and again."""
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """Finish what is asked for already, in ``seconds`` at most; the rest is found by the next start's sweep."""
        self._todo.put(None)
        self._thread.join(seconds)

    def ended(self, uid: str) -> None:
        """The task may have ended: if so, its inputs go now, and with an Error what it drew until then."""
        self._todo.put((uid, None))

    def finished(self, uid: str) -> None:
        """The task has finished for sure: its inputs go now."""
        self._todo.put((uid, Status.FINISHED))

    def sweep(self) -> None:
        """Delete all that is due, unless another process that shares the tasks is at it."""
        with sweeping(self._db) as ours:
            if ours:
                self._sweep()

    def _sweep(self) -> None:
        with writing(self._db) as connection:
            now = connection.execute(sa.select(time_of(connection))).scalar_one()
            connection.execute(sa.delete(requests).where(requests.c.created <= now - REPEAT_SECONDS))
        self._expire_results(now)
        self._delete_records(now)
        self._delete_orphans(now)

    def _work(self) -> None:
        next_sweep = time.monotonic()
        while True:
            try:
                todo = self._todo.get(timeout=max(0, next_sweep - time.monotonic()))
            except Empty:
                todo = "", None
            if todo is None:
                return
            uid, status = todo
            try:
                if uid:
                    self._clean(uid, status)
                else:
                    next_sweep = time.monotonic() + self._settings.sweep_seconds
                    self.sweep()
            except Exception:
                log.exception("retention failed; the next sweep tries again", uid=uid or None)

    def _expire_results(self, now: float) -> None:
        due = sa.select(tasks.c.uid).where(tasks.c.swept.is_(False), tasks.c.expires <= now)
        for uids in self._deleted(due, result_prefix):
            with writing(self._db) as connection:
                done = sa.update(tasks).where(tasks.c.uid.in_(uids))
                connection.execute(done.values(swept=True, images=[]))

    def _delete_records(self, now: float) -> None:
        old = tasks.c.finished <= now - self._settings.record_seconds
        due = sa.select(tasks.c.uid).where(old, tasks.c.favourite.is_(None))
        for uids in self._deleted(due, input_prefix, result_prefix):
            with writing(self._db) as connection:
                connection.execute(sa.delete(tasks).where(tasks.c.uid.in_(uids)))

    def _deleted(self, due: sa.Select[tuple[str]], *prefixes: Callable[[str], str]) -> Iterator[list[str]]:
        """The uids of ``due``, a batch at a time, once what lies under their ``prefixes`` is gone.

        What cannot be deleted is logged and left to the next sweep; it holds up none of the others.
        """
        left: list[str] = []
        while uids := self._uids(due.where(tasks.c.uid.not_in(left)).limit(BATCH)):
            stuck = [uid for uid in uids if not all(self._delete(prefix(uid)) for prefix in prefixes)]
            left += stuck
            yield [uid for uid in uids if uid not in stuck]

    def _delete(self, prefix: str) -> bool:
        try:
            self._storage.delete_prefix(prefix)
        except StorageError as error:
            log.error("files cannot be deleted; the next sweep tries again", prefix=prefix, reason=error.message)
            return False
        return True

    def _delete_orphans(self, now: float) -> None:
        """What a crash left behind between two steps. Whose each folder is, the table tells.

        A sweep asks about the next ``SLICE`` folders of a place, so that none lists a whole bucket.
        """
        for place, needed in ((INPUTS, UNFINISHED), (RESULTS, (*UNFINISHED, Status.FINISHED)), (PROBES, ())):
            for uids in self._next_slice(place):
                status = self._status(uids)
                for uid in uids:
                    young = created(uid) > now - SUBMISSION_SECONDS
                    if status[uid] not in needed if uid in status else not young:
                        self._delete(f"{place}{uid}/")

        for uids in self._next_slice(STYLES):
            kept = set(self._uids(sa.select(styles.c.uid).where(styles.c.uid.in_(uids))))
            for uid in uids:
                if uid not in kept and created(uid) <= now - SUBMISSION_SECONDS:
                    self._delete(style_prefix(uid))

    def _next_slice(self, place: str) -> Iterator[list[str]]:
        """The uids that the next ``SLICE`` folders of ``place`` are called after, a batch at a time."""
        names = self._storage.names_after(place, self._swept.get(place, ""), SLICE)
        self._swept[place] = names[-1] if len(names) == SLICE else ""
        xids = _xids(names)
        while uids := list(islice(xids, BATCH)):
            yield uids

    def _clean(self, uid: str, status: str | None) -> None:
        match status or self._status([uid]).get(uid):
            case Status.FINISHED:
                self._storage.delete_prefix(input_prefix(uid))
            case Status.ERROR:
                self._storage.delete_prefix(input_prefix(uid))
                self._storage.delete_prefix(result_prefix(uid))

    def _status(self, uids: list[str]) -> dict[str, str]:
        query = sa.select(tasks.c.uid, tasks.c.status).where(tasks.c.uid.in_(uids))
        with reading(self._db) as connection:
            return {row.uid: row.status for row in connection.execute(query)}

    def _uids(self, query: sa.Select[tuple[str]]) -> list[str]:
        with reading(self._db) as connection:
            return list(connection.scalars(query))


def _xids(names: Iterable[str]) -> Iterator[str]:
    """The names that are task UIDs: what somebody else keeps in the same place is none of ours to delete."""
    for name in names:
        try:
            created(name)
        except ValueError:
            continue
        yield name
