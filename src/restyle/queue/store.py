"""Tasks as clients see them: submitted, looked at, terminated."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from restyle.accounts import credits
from restyle.database import accounts, reading, requests, tasks, time_of, writing
from restyle.queue.needs import needs_of
from restyle.queue.places import positions
from restyle.queue.record import RECORD, UNFINISHED, Standing, Status, TaskRecord, record_of
from restyle.queue.uid import created
from restyle.settings import Settings
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

REPEAT_SECONDS = 24 * 3600
"""How long a ``request_uuid`` is remembered."""
SUBMISSION_SECONDS = 900
"""Images are stored before their task is: so long after its uid was made there will be none, and a sweep may delete
them (:mod:`restyle.queue.retention`)."""


Call = Callable[[sa.Connection, Iterable[tuple[str, str]]], None]


@dataclass(frozen=True, slots=True)
class Submission:
    """A task to be. Its images are stored already, under the uid's input keys.

    ``signature`` is the request's, proven to be its account's; ``body_digest`` a digest of the request body that two
    bodies never share (SHA-256), needed with a ``request_uuid`` only; ``seed`` the seed drawn or sent, ``seeds`` one
    per image; ``plan`` is :func:`restyle.conversion.stored.to_json`; ``priority`` is the key's.
    """

    account_id: int
    action: str
    request_uuid: str | None
    signature: str
    body_digest: bytes
    cost: int
    seed: int
    seeds: tuple[int, ...]
    plan: Mapping[str, Any]
    notices: tuple[str, ...] = ()
    priority: int = 0

    @property
    def needs(self) -> str:
        """What a machine must have to draw it."""
        return needs_of(self.plan)


class TaskStore:
    """The clients' side of the task table; :class:`restyle.queue.claims.Claims` is the workers'.

    ``call`` is told of every accepted task (uid, needs) in the transaction that accepts it.
    """

    def __init__(self, db: sa.Engine, settings: Settings, call: Call | None = None) -> None:
        self._db = db
        self._settings = settings
        self._call = call

    def find_repeat(self, account_id: int, request_uuid: str | None, signature: str, body_digest: bytes) -> str | None:
        """The uid that an earlier submission with this ``request_uuid`` got; None if there is none in the last 24 h.

        Raises :class:`RestyleError` (4010) where that one had another body, and where one with a ``request_uuid`` of
        its own had this ``signature``: the same signed text cut into other fields, such as no ``request_uuid``.
        """
        with reading(self._db) as connection:
            return _repeat(connection, account_id, request_uuid, signature, body_digest)

    def submit(self, uid: str, submission: Submission) -> str:
        """Accept the task: its row, its credits and its ``request_uuid`` in one transaction.

        Returns ``uid``, or the uid of the submission that this one repeats (the caller then deletes the images it
        stored under its own). Raises :class:`RestyleError`: 4007, 4009, 4010.
        """
        account_id, now = submission.account_id, time.time()
        with writing(self._db) as connection:
            # Submissions of one account follow each other from here on, so what is counted below stays true.
            lock = sa.select(accounts.c.id).where(accounts.c.id == account_id).with_for_update(key_share=True)
            connection.execute(lock).scalar_one()
            mark, signature = submission.request_uuid, submission.signature
            repeat = _repeat(connection, account_id, mark, signature, submission.body_digest)
            if repeat is not None:
                return repeat
            self._check_room(connection, account_id, uid)
            credits.charge(connection, account_id, submission.cost)
            row = {
                "uid": uid,
                "account_id": account_id,
                "action": submission.action,
                "status": Status.QUEUING,
                "seed": submission.seed,
                "seeds": list(submission.seeds),
                "cost": submission.cost,
                "priority": submission.priority,
                "needs": submission.needs,
                "spec": dict(submission.plan),
                "notices": list(submission.notices),
                "images": [],
                "created": now,
            }
            connection.execute(sa.insert(tasks).values(row))
            if self._call is not None:
                self._call(connection, [(uid, submission.needs)])
            if mark:
                same = (requests.c.account_id == account_id) & (requests.c.request_uuid == mark)
                connection.execute(sa.delete(requests).where(same))  # one of more than 24 h ago
                request = {
                    "account_id": account_id,
                    "request_uuid": mark,
                    "body_digest": submission.body_digest,
                    "signature": signature,
                    "uid": uid,
                    "created": now,
                }
                connection.execute(sa.insert(requests).values(request))
        return uid

    def details(self, account_id: int, uids: Sequence[str]) -> list[TaskRecord]:
        """The tasks in the order asked. Raises :class:`RestyleError` (4006) naming one that is not the account's."""
        query = sa.select(*RECORD).where(tasks.c.account_id == account_id, tasks.c.uid.in_(set(uids)))
        with reading(self._db) as connection:
            rows = {row.uid: row for row in connection.execute(query)}
            places: dict[str, int] = {}
            if any(row.status == Status.QUEUING for row in rows.values()):
                places = positions(connection, account_id)
        for uid in uids:
            if uid not in rows:
                raise RestyleError(Code.TASK_NOT_FOUND, f"task {uid} not found", field="TaskUIDList")
        now = time.time()
        return [record_of(rows[uid], places.get(uid), now) for uid in uids]

    def unfinished(self, account_id: int) -> list[str]:
        """The uids of the account's Queuing and Running tasks, oldest first."""
        query = sa.select(tasks.c.uid).where(tasks.c.account_id == account_id, tasks.c.status.in_(UNFINISHED))
        with reading(self._db) as connection:
            return list(connection.scalars(query.order_by(tasks.c.id)))

    def terminate(self, account_id: int, uid: str) -> None:
        """End the task as Error 5104 and return its credits. Raises :class:`RestyleError`: 4006, 4011.

        Tell :meth:`restyle.queue.dispatch.Dispatcher.cancel` next, which stops the work.
        """
        with writing(self._db) as connection:
            mine = (tasks.c.account_id == account_id) & (tasks.c.uid == uid)
            status = connection.execute(sa.select(tasks.c.status).where(mine)).scalar_one_or_none()
            if status is None:
                raise RestyleError(Code.TASK_NOT_FOUND, f"task {uid} not found", field="TaskUID")
            if not end_in_error(connection, mine, Code.TERMINATED, Code.TERMINATED.meaning):
                raise RestyleError(Code.TASK_ENDED, f"task {uid} has ended already", field="TaskUID")

    def result(self, uid: str, index: int) -> str | None:
        """Storage key of image ``index`` of a task, whoever asks; None once it has expired.

        Raises :class:`RestyleError` (4006) for a task or an index that does not exist.
        """
        query = sa.select(*RECORD).where(tasks.c.uid == uid)
        with reading(self._db) as connection:
            row = connection.execute(query).one_or_none()
        if row is None or row.status != Status.FINISHED:
            raise RestyleError(Code.TASK_NOT_FOUND, f"task {uid} has no image {index}")
        record = record_of(row, None, time.time())
        if not 0 <= index < len(record.seeds):
            raise RestyleError(Code.TASK_NOT_FOUND, f"task {uid} has no image {index}")
        return record.images[index] if index < len(record.images) else None

    def standings(self, uids: Iterable[str]) -> dict[str, Standing]:
        """How the tasks stand, whoever's they are; those that are not there are left out."""
        query = sa.select(tasks.c.uid, tasks.c.status, tasks.c.progress).where(tasks.c.uid.in_(set(uids)))
        with reading(self._db) as connection:
            return {row.uid: Standing(Status(row.status), row.progress) for row in connection.execute(query)}

    def positions(self, account_id: int) -> dict[str, int]:
        """The place of each Queuing task of the account, from 1, by uid."""
        with reading(self._db) as connection:
            return positions(connection, account_id)

    def counts(self) -> dict[Status, int]:
        """How many tasks of all accounts are Queuing and Running now."""
        query = sa.select(tasks.c.status, sa.func.count()).where(tasks.c.status.in_(UNFINISHED))
        with reading(self._db) as connection:
            found = {Status(status): count for status, count in connection.execute(query.group_by(tasks.c.status))}
        return {status: found.get(status, 0) for status in UNFINISHED}

    def _check_room(self, connection: sa.Connection, account_id: int, uid: str) -> None:
        count = sa.select(sa.func.count()).select_from(tasks)
        own = count.where(tasks.c.account_id == account_id, tasks.c.status.in_(UNFINISHED)).scalar_subquery()
        queued = count.where(tasks.c.status == Status.QUEUING).scalar_subquery()
        now = time_of(connection)
        found = connection.execute(sa.select(own.label("own"), queued.label("queued"), now.label("now"))).one()
        if found.now - created(uid) >= SUBMISSION_SECONDS:
            raise RestyleError(
                Code.QUEUE_FULL,
                f"the task began {found.now - created(uid):.0f} s before it could be accepted, by the clock of the "
                "database; send it again",
            )
        limit = self._settings.max_unfinished_tasks
        if found.own >= limit:
            raise RestyleError(Code.QUEUE_FULL, f"the account has {limit} unfinished tasks, the most it may have")
        limit = self._settings.max_queued_tasks
        if found.queued >= limit:
            raise RestyleError(Code.QUEUE_FULL, f"{limit} tasks of all accounts are queued, the most the service takes")


def end_in_error(connection: sa.Connection, which: sa.ColumnElement[bool], code: Code, message: str) -> bool:
    """End the unfinished task that ``which`` selects, and return its credits, in the caller's transaction.

    False, and nothing is changed, where no such task is unfinished.
    """
    end = (
        sa.update(tasks)
        .where(which, tasks.c.status.in_(UNFINISHED))
        .values(status=Status.ERROR, error_code=code, error_message=message, finished=time.time(), claim=None)
        .returning(tasks.c.account_id, tasks.c.cost)
    )
    row = connection.execute(end).one_or_none()
    if row is None:
        return False
    credits.refund(connection, row.account_id, row.cost)
    return True


def _repeat(
    connection: sa.Connection, account_id: int, request_uuid: str | None, signature: str, body_digest: bytes
) -> str | None:
    same = requests.c.signature == signature
    query = sa.select(requests.c.request_uuid, requests.c.uid, requests.c.body_digest).where(
        requests.c.account_id == account_id,
        same | (requests.c.request_uuid == request_uuid) if request_uuid else same,
        requests.c.created > time.time() - REPEAT_SECONDS,
    )
    rows = {row.request_uuid: row for row in connection.execute(query)}
    row = rows.get(request_uuid)
    if row is not None and row.body_digest == body_digest:
        return str(row.uid)
    if row is not None:
        reason = f"request_uuid {request_uuid} came with another body before"
    elif rows:
        reason = f"the same signed text came before, cut into other fields, with request_uuid {next(iter(rows))}"
    else:
        return None
    raise RestyleError(Code.REQUEST_REUSED, f"{reason}; a new request needs a new one", field="request_uuid")
