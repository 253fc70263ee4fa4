"""A task as its owner sees it, and how it is read from its row."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

import sqlalchemy as sa

from restyle.database import Raw, tasks
from restyle.queue.claim import stored_list
from restyle.wire.codes import Code

T = TypeVar("T")


class Status(StrEnum):
    """The wire's own names."""

    QUEUING = "Queuing"
    RUNNING = "Running"
    FINISHED = "Finished"
    ERROR = "Error"


UNFINISHED = (Status.QUEUING, Status.RUNNING)


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """A task as its owner sees it. Times are Unix seconds; ``images`` storage keys, empty once expired.

    ``queue_position`` counts from 1 and is None unless the task is Queuing; ``progress`` is 0..1.
    ``favourite`` is when its owner marked it; ``expires`` is None then, and before it has ended.
    """

    uid: str
    action: str
    status: Status
    seed: int
    seeds: tuple[int, ...]
    cost: int
    progress: float
    queue_position: int | None
    images: tuple[str, ...]
    error_code: int
    error_message: str
    notices: tuple[str, ...]
    created: float
    started: float | None
    finished: float | None
    expires: float | None
    favourite: float | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What of a task changes from moment to moment; ``progress`` is 0..1."""

    status: Status
    progress: float


_LISTS = ("seeds", "images", "notices")
RECORD = (
    *(column for column in tasks.c if column.name not in (*_LISTS, "spec")),
    *(sa.cast(tasks.c[name], Raw).label(name) for name in _LISTS),
)
"""What a record shows. A row whose lists cannot be read is shown without them, and spoils no other's answer."""


def record_of(row: sa.Row[Any], position: int | None, now: float) -> TaskRecord:
    """The record in a row of ``RECORD`` as it is ``now``, in Unix seconds."""
    if not _is_whole(row):
        return TaskRecord(
            uid=row.uid,
            action="",
            status=Status.ERROR,
            seed=0,
            seeds=(),
            cost=0,
            progress=0.0,
            queue_position=None,
            images=(),
            error_code=int(Code.INTERNAL_ERROR),
            error_message="the record of this task cannot be read; whoever runs the service can restore it",
            notices=(),
            created=0.0,
            started=None,
            finished=None,
            expires=None,
        )
    expired = row.expires is not None and row.expires <= now
    return TaskRecord(
        uid=row.uid,
        action=row.action,
        status=Status(row.status),
        seed=row.seed,
        seeds=tuple(_only(int, row.seeds)),
        cost=row.cost,
        progress=row.progress,
        queue_position=position,
        images=() if expired else tuple(_only(str, row.images)),
        error_code=row.error_code,
        error_message=row.error_message,
        notices=tuple(_only(str, row.notices)),
        created=row.created,
        started=row.started,
        finished=row.finished,
        expires=row.expires,
        favourite=row.favourite,
    )


def _is_whole(row: sa.Row[Any]) -> bool:
    """Whether a row holds what its columns are for: SQLite keeps whatever it is given."""
    numbers = (row.seed, row.cost, row.progress, row.error_code, row.created)
    moments = (row.started, row.finished, row.expires, row.favourite)
    return (
        row.status in set(Status)
        and all(isinstance(number, int | float) for number in numbers)
        and all(moment is None or isinstance(moment, int | float) for moment in moments)
    )


def _only(kind: type[T], text: str) -> list[T]:
    return [one for one in stored_list(text) if isinstance(one, kind)]
