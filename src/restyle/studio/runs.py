"""What was asked for together: one conversion, a batch, a folder, a strip. Items become tasks as there is room."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from restyle.database import reading, run_items, runs, tasks, writing
from restyle.queue.record import Status, TaskRecord
from restyle.queue.store import TaskStore
from restyle.queue.uid import new_uid
from restyle.wire.codes import Code

MOST_ITEMS = 1000
"""Of one run: photographs of a folder, times images of each."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """An item to be. ``raw`` is an upload, ``style`` an upload or a style of the shelf, ``control`` and ``mask`` are
    uploads or empty, ``asked`` a Conversion's values; ``label`` says what sets it apart in its run.
    """

    label: str
    raw: str
    style: str
    control: str
    mask: str
    asked: Mapping[str, Any]

    @property
    def pictures(self) -> tuple[str, ...]:
        """What it is made of: uploads, or a style of the shelf."""
        return tuple(name for name in (self.raw, self.style, self.control, self.mask) if name)


@dataclass(frozen=True, slots=True)
class Item(Wanted):
    """An item as it stands. ``record`` is its task's, None before it is one and after the record's time."""

    run: str
    position: int
    uid: str | None
    attempt: int
    waiting: bool
    error_code: int
    error_message: str
    record: TaskRecord | None = None

    @property
    def state(self) -> str:
        """``Waiting``, a task's status, ``Expired``, or ``Gone`` where even the record has had its time."""
        if self.waiting:
            return "Waiting"
        if self.error_code:
            return str(Status.ERROR)
        if self.record is None:
            return "Gone"
        if self.record.status is Status.FINISHED and not self.record.images:
            return "Expired"
        return str(self.record.status)

    @property
    def ended(self) -> bool:
        """Whether nothing more will become of it by itself."""
        return self.state not in ("Waiting", Status.QUEUING, Status.RUNNING)

    @property
    def progress(self) -> float:
        """0..1."""
        if self.ended:
            return 1.0
        return self.record.progress if self.record is not None else 0.0

    @property
    def failure(self) -> tuple[int, str] | None:
        """Code and sentence of what went wrong."""
        if self.error_code:
            return self.error_code, self.error_message
        if self.record is not None and self.record.status is Status.ERROR:
            return self.record.error_code, self.record.error_message
        return None


@dataclass(frozen=True, slots=True)
class Run:
    """``kind`` is single, batch, folder, strength, model or seed; ``asked`` are a Conversion's values, the form's."""

    id: str
    kind: str
    created: float
    asked: Mapping[str, Any]
    items: tuple[Item, ...]

    @property
    def done(self) -> int:
        """Items that have ended."""
        return sum(item.ended for item in self.items)

    @property
    def failed(self) -> int:
        """Items that ended in an error."""
        return sum(item.failure is not None for item in self.items)

    @property
    def progress(self) -> float:
        """0..1, over all items."""
        return sum(item.progress for item in self.items) / len(self.items)


@dataclass(frozen=True, slots=True)
class Recent:
    """A run as the strip of the latest shows it: how many items it has, and the first of them."""

    id: str
    count: int
    first: Item


_ITEM = (
    run_items.c.label,
    run_items.c.raw,
    run_items.c.style,
    run_items.c.control,
    run_items.c.mask,
    run_items.c.asked,
    run_items.c.run_id,
    run_items.c.position,
    run_items.c.uid,
    run_items.c.attempt,
    run_items.c.waiting,
    run_items.c.error_code,
    run_items.c.error_message,
)


class Runs:
    """The runs of one database."""

    def __init__(self, db: sa.Engine, store: TaskStore) -> None:
        self._db = db
        self._store = store

    def add(
        self, account_id: int, kind: str, asked: Mapping[str, Any], wanted: Sequence[Wanted], *, priority: int
    ) -> str:
        """Accept a run of what the form ``asked``; its items wait to become tasks of that priority. Returns its id."""
        run = new_uid()
        rows = [
            {
                "run_id": run,
                "position": position,
                "label": each.label,
                "raw": each.raw,
                "style": each.style,
                "control": each.control,
                "mask": each.mask,
                "asked": dict(each.asked),
                "waiting": True,
            }
            for position, each in enumerate(wanted)
        ]
        with writing(self._db) as connection:
            values = {
                "id": run,
                "account_id": account_id,
                "kind": kind,
                "priority": priority,
                "created": time.time(),
                "asked": dict(asked),
            }
            connection.execute(sa.insert(runs).values(values))
            connection.execute(sa.insert(run_items), rows)
        return run

    def find(self, account_id: int, run: str) -> Run | None:
        """The account's run of that id, with all its items."""
        query = sa.select(runs).where(runs.c.id == run, runs.c.account_id == account_id)
        with reading(self._db) as connection:
            row = connection.execute(query).one_or_none()
            if row is None:
                return None
            items = connection.execute(
                sa.select(*_ITEM).where(run_items.c.run_id == run).order_by(run_items.c.position)
            ).all()
        found = tuple(self._with_records(account_id, items))
        return Run(run, row.kind, row.created, row.asked or found[0].asked, found)

    def recent(self, account_id: int, most: int) -> list[Recent]:
        """The account's latest runs, the newest first."""
        latest = sa.select(runs.c.id).where(runs.c.account_id == account_id).order_by(runs.c.id.desc()).limit(most)
        with reading(self._db) as connection:
            ids = list(connection.scalars(latest))
            if not ids:
                return []
            of_them = run_items.c.run_id.in_(ids)
            counted = sa.select(run_items.c.run_id, sa.func.count()).where(of_them).group_by(run_items.c.run_id)
            counts = {row[0]: row[1] for row in connection.execute(counted)}
            rows = connection.execute(sa.select(*_ITEM).where(of_them, run_items.c.position == 0)).all()
        firsts = {item.run: item for item in self._with_records(account_id, rows)}
        return [Recent(run, counts[run], firsts[run]) for run in ids if run in firsts]

    def of_tasks(self, uids: Sequence[str]) -> dict[str, Item]:
        """The items that these tasks were made for, by uid, without their records."""
        query = sa.select(*_ITEM).where(run_items.c.uid.in_(set(uids)))
        with reading(self._db) as connection:
            return {row.uid: _item(row) for row in connection.execute(query)}

    def waiting(self, most: int) -> list[tuple[int, int, Item]]:
        """Items that are no tasks yet, each with its account and priority, the oldest first."""
        query = (
            sa.select(runs.c.account_id, runs.c.priority, *_ITEM)
            .join_from(run_items, runs)
            .where(run_items.c.waiting)
            .order_by(runs.c.created, run_items.c.position)
            .limit(most)
        )
        with reading(self._db) as connection:
            return [(row[0], row[1], _item(row[2:])) for row in connection.execute(query)]

    def submitted(self, item: Item, uid: str) -> None:
        """The item is the task ``uid`` from now on."""
        self._change(item, uid=uid, waiting=False, error_code=0, error_message="")

    def refused(self, item: Item, code: int, message: str) -> None:
        """The item becomes no task."""
        self._change(item, waiting=False, error_code=code, error_message=message)

    def again(self, account_id: int, run: str) -> int:
        """Let those items that failed wait again; returns how many."""
        found = self.find(account_id, run)
        failed = [item for item in found.items if item.failure is not None] if found else []
        for item in failed:
            self._change(item, uid=None, waiting=True, error_code=0, error_message="", attempt=item.attempt + 1)
        return len(failed)

    def cancel_waiting(self, account_id: int, run: str) -> None:
        """Items of the run that are no tasks yet become none."""
        own = sa.select(runs.c.id).where(runs.c.id == run, runs.c.account_id == account_id)
        change = sa.update(run_items).where(run_items.c.run_id.in_(own), run_items.c.waiting)
        values = {"waiting": False, "error_code": int(Code.TERMINATED), "error_message": Code.TERMINATED.meaning}
        with writing(self._db) as connection:
            connection.execute(change.values(values))

    def sweep(self, seconds: int) -> None:
        """Forget runs that are older than ``seconds``, wait for nothing, and made no favourite."""
        at_work = sa.select(run_items.c.run_id).where(run_items.c.waiting)
        kept = sa.select(run_items.c.run_id).where(of_favourites(runs.c.account_id), run_items.c.run_id == runs.c.id)
        old = sa.select(runs.c.id).where(
            runs.c.created < time.time() - seconds, runs.c.id.not_in(at_work), ~kept.exists()
        )
        with writing(self._db) as connection:
            due = list(connection.scalars(old.limit(500)))
            connection.execute(sa.delete(run_items).where(run_items.c.run_id.in_(due)))
            connection.execute(sa.delete(runs).where(runs.c.id.in_(due)))

    def spec(self, account_id: int, uid: str) -> Mapping[str, Any] | None:
        """The stored plan of the account's task; None where there is no such task, or no plan that can be read."""
        query = sa.select(sa.cast(tasks.c.spec, sa.Text)).where(tasks.c.account_id == account_id, tasks.c.uid == uid)
        with reading(self._db) as connection:
            text = connection.execute(query).scalar_one_or_none()
        return plan_of(text)

    def _with_records(self, account_id: int, rows: Sequence[Any]) -> list[Item]:
        uids = [row.uid for row in rows if row.uid]
        known = self._store.standings(uids)
        records = {record.uid: record for record in self._store.details(account_id, list(known))} if known else {}
        return [replace(_item(row), record=records.get(row.uid)) for row in rows]

    def _change(self, item: Item, **values: Any) -> None:
        which = (run_items.c.run_id == item.run) & (run_items.c.position == item.position)
        same = which & (run_items.c.attempt == item.attempt)
        with writing(self._db) as connection:
            connection.execute(sa.update(run_items).where(same).values(values))


def of_favourites(account_id: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
    """Whether an item became a task that its account keeps as a favourite."""
    return run_items.c.uid.in_(
        sa.select(tasks.c.uid).where(tasks.c.account_id == account_id, tasks.c.favourite.is_not(None))
    )


def _item(row: Sequence[Any]) -> Item:
    return Item(*row)


def plan_of(text: str | None) -> Mapping[str, Any] | None:
    """A stored plan as values; None where it is none that this release shows."""
    try:
        found = json.loads(text or "")
    except ValueError:
        return None
    return found if isinstance(found, dict) and "model" in found and "strength" in found else None
