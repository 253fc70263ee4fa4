"""Pictures that people bring: looked at once, when they come, and kept until their conversions have had their time."""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import sqlalchemy as sa

from restyle.database import reading, run_items, uploads, writing
from restyle.http.envelope import later, stopping
from restyle.http.pictures import RETRY_SECONDS
from restyle.http.service import Service
from restyle.images.checking.pool import Overdue
from restyle.images.checking.turns import Closed
from restyle.queue.uid import created, new_uid
from restyle.storage import UPLOADS, StorageError, upload_prefix
from restyle.studio.runs import of_favourites
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

VIEW_SIDES = (2048, 480)
"""Longest sides of the pictures that a page shows of an upload: whole, and as a thumbnail."""
MOST_NAME = 200
ORPHAN_SECONDS = 900
"""Pictures are stored before their row is: after this long without a row there will be none."""
BATCH = 500
PICTURES = (run_items.c.raw, run_items.c.style, run_items.c.control, run_items.c.mask)
"""What items of runs are made of."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A picture of an account. ``width`` and ``height`` are in pixels, upright; ``size`` in bytes."""

    id: str
    name: str
    width: int
    height: int
    size: int
    expires: float

    @property
    def key(self) -> str:
        """Storage key of the file, as it came."""
        return f"{upload_prefix(self.id)}file"


def view_key(upload: str, small: bool) -> str:
    """Storage key of the JPEG that a page shows of an upload."""
    return f"{upload_prefix(upload)}{'thumbnail' if small else 'view'}.jpg"


class Uploads:
    """The uploads of one service. Its pictures are kept ``result_seconds`` after they came or were last used, and as
    long again, since a task may wait before its results have their time; and as long as a favourite was made of them.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._swept = ""

    def add(self, account_id: int, name: str, data: bytes) -> Upload:
        """Look at a picture and keep it.

        Raises RestyleError: 4003 where it cannot be read or is over the limits, 4009 where the account keeps too many;
        Refused (503) when there is no time to look.
        """
        service = self._service
        kept = sa.select(sa.func.coalesce(sa.func.sum(uploads.c.size), 0)).where(uploads.c.account_id == account_id)
        with reading(service.db) as connection:
            total = connection.execute(kept).scalar_one() + len(data)
        most = service.settings.upload_bytes
        if total > most:
            raise RestyleError(
                Code.QUEUE_FULL,
                f"the account would keep {total:,} bytes of pictures, and may keep {most:,}; they make room in a day",
            )
        field = "the picture"
        try:
            view = service.checkers.view(account_id, data, VIEW_SIDES, field=field)
        except Closed:
            raise stopping() from None
        except Overdue:
            message = "the machine is too busy to look at the picture; try again in a few seconds"
            raise later(503, Code.QUEUE_FULL, message, RETRY_SECONDS) from None
        upload = Upload(new_uid(), _clean(name), view.width, view.height, len(data), self._expires())
        service.storage.put(upload.key, data)
        for small, file in enumerate(view.files):
            service.storage.put(view_key(upload.id, bool(small)), file)
        row = {
            "id": upload.id,
            "account_id": account_id,
            "name": upload.name,
            "width": upload.width,
            "height": upload.height,
            "size": upload.size,
            "created": time.time(),
            "expires": upload.expires,
        }
        with writing(service.db) as connection:
            connection.execute(sa.insert(uploads).values(row))
        return upload

    def find(self, account_id: int, ids: Sequence[str]) -> dict[str, Upload]:
        """Those of ``ids`` that are the account's and are still there, by id."""
        if not ids:
            return {}
        columns = (getattr(uploads.c, name) for name in Upload.__dataclass_fields__)
        query = sa.select(*columns).where(uploads.c.account_id == account_id, uploads.c.id.in_(set(ids)))
        with reading(self._service.db) as connection:
            return {row.id: Upload(*row) for row in connection.execute(query)}

    def keep(self, ids: Sequence[str]) -> None:
        """They are used now: their time begins again."""
        change = sa.update(uploads).where(uploads.c.id.in_(set(ids))).values(expires=self._expires())
        with writing(self._service.db) as connection:
            connection.execute(change)

    def sweep(self) -> None:
        """Delete what has had its time, but what favourites were made of, and what a crash left without a row."""
        now = time.time()
        service = self._service
        used = sa.select(run_items.c.run_id).where(
            of_favourites(uploads.c.account_id),
            sa.or_(*(column == uploads.c.id for column in PICTURES)),
        )
        with reading(service.db) as connection:
            query = sa.select(uploads.c.id).where(uploads.c.expires <= now, ~used.exists()).limit(BATCH)
            due = list(connection.scalars(query))
        for upload in due:
            with suppress(StorageError):  # its row is gone then, and the orphans' turn comes
                service.storage.delete_prefix(upload_prefix(upload))
        if due:
            with writing(service.db) as connection:
                connection.execute(sa.delete(uploads).where(uploads.c.id.in_(due)))
        names = service.storage.names_after(UPLOADS, self._swept, BATCH)
        self._swept = names[-1] if len(names) == BATCH else ""
        old = {name for name in names if _is_old(name, now)}
        with reading(service.db) as connection:
            known = set(connection.scalars(sa.select(uploads.c.id).where(uploads.c.id.in_(old))))
        for name in old - known:
            service.storage.delete_prefix(upload_prefix(name))

    def _expires(self) -> float:
        return time.time() + 2 * self._service.settings.result_seconds


def _clean(name: str) -> str:
    """A file's name without folders and without what cannot be shown."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(mark for mark in last if mark.isprintable())[:MOST_NAME] or "picture"


def _is_old(name: str, now: float) -> bool:
    try:
        return created(name) < now - ORPHAN_SECONDS
    except ValueError:
        return False
