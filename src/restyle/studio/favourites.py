"""Favourites: results that stay until somebody removes them, with what is needed to make them again."""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from fastapi import Response
from starlette.exceptions import HTTPException

from restyle.database import favourites, reading, writing
from restyle.http.results import POLICY
from restyle.http.service import Service
from restyle.queue.uid import new_uid
from restyle.storage import favourite_prefix
from restyle.studio import shelf
from restyle.studio.ask import Ask
from restyle.studio.page import HEADERS, lead, page
from restyle.studio.pictures import KEPT_SECONDS, result_bytes, smaller
from restyle.studio.route import Route
from restyle.studio.runs import Runs
from restyle.studio.uploads import Uploads
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

A_PAGE = 24
FILES = {"result": "image/png", "thumbnail": "image/jpeg"}
"""What may be looked at, and its type."""


@dataclass(frozen=True, slots=True)
class Favourite:
    """``spec`` is the plan that made it; ``size`` is in bytes, of all that is kept."""

    id: str
    uid: str
    image: int
    seed: int
    spec: Mapping[str, Any]
    has_raw: bool
    size: int
    created: float


_COLUMNS = tuple(favourites.c[name] for name in Favourite.__dataclass_fields__)


class Favourites:
    """The favourites of one service."""

    def __init__(self, service: Service, runs: Runs, uploads: Uploads) -> None:
        self._service = service
        self._runs = runs
        self._uploads = uploads

    def of_tasks(self, account_id: int, uids: Sequence[str]) -> set[tuple[str, int]]:
        """Which images of these tasks are favourites."""
        query = sa.select(favourites.c.uid, favourites.c.image).where(
            favourites.c.account_id == account_id, favourites.c.uid.in_(set(uids))
        )
        with reading(self._service.db) as connection:
            return {(row.uid, row.image) for row in connection.execute(query)}

    def used(self, account_id: int) -> int:
        """Bytes that the account's favourites take."""
        total = sa.select(sa.func.coalesce(sa.func.sum(favourites.c.size), 0))
        with reading(self._service.db) as connection:
            return int(connection.execute(total.where(favourites.c.account_id == account_id)).scalar_one())

    def page(self, account_id: int, before: str, count: int) -> list[Favourite]:
        """The newest that are older than ``before`` (an id; all where it is empty)."""
        query = sa.select(*_COLUMNS).where(favourites.c.account_id == account_id)
        if before:
            query = query.where(favourites.c.id < before)
        with reading(self._service.db) as connection:
            return [Favourite(*row) for row in connection.execute(query.order_by(favourites.c.id.desc()).limit(count))]

    def find(self, account_id: int, favourite: str) -> Favourite | None:
        """The account's favourite of that id."""
        query = sa.select(*_COLUMNS).where(favourites.c.id == favourite, favourites.c.account_id == account_id)
        with reading(self._service.db) as connection:
            row = connection.execute(query).one_or_none()
        return Favourite(*row) if row is not None else None

    def add(self, account_id: int, uid: str, image: int, seed: int, data: bytes) -> None:
        """Keep a result, and the two pictures it was made of as far as they are there.

        Raises RestyleError: 4006 where the task's plan is gone, 4009 past the account's quota.
        """
        spec = self._runs.spec(account_id, uid)
        if spec is None:
            raise RestyleError(Code.TASK_NOT_FOUND, "how this picture was made is no longer known")
        name = new_uid()
        files = {"result": data, "thumbnail": smaller(data), **self._sources(account_id, uid)}
        size = sum(map(len, files.values()))
        most = self._service.settings.favourite_bytes
        if self.used(account_id) + size > most:
            raise RestyleError(Code.QUEUE_FULL, f"favourites may take {most:,} bytes, and are full; remove some first")
        for kind, content in files.items():
            self._service.storage.put(f"{favourite_prefix(name)}{kind}", content)
        row = {
            "id": name,
            "account_id": account_id,
            "uid": uid,
            "image": image,
            "seed": seed,
            "spec": dict(spec),
            "has_raw": "raw" in files and "style" in files,
            "size": size,
            "created": time.time(),
        }
        with writing(self._service.db) as connection:
            connection.execute(sa.insert(favourites).values(row))

    def remove(self, account_id: int, which: sa.ColumnElement[bool]) -> bool:
        """Remove those that ``which`` selects; returns whether there were any."""
        gone = sa.delete(favourites).where(favourites.c.account_id == account_id, which).returning(favourites.c.id)
        with writing(self._service.db) as connection:
            names = list(connection.scalars(gone))
        for name in names:
            self._service.storage.delete_prefix(favourite_prefix(name))
        return bool(names)

    def file(self, favourite: str, kind: str) -> bytes:
        """One of the files kept. Raises FileNotFoundError."""
        return self._service.storage.get(f"{favourite_prefix(favourite)}{kind}")

    def _sources(self, account_id: int, uid: str) -> dict[str, bytes]:
        item = self._runs.of_tasks([uid]).get(uid)
        if item is None:
            return {}
        found = self._uploads.find(account_id, [item.raw, item.style])
        sources: dict[str, bytes] = {}
        with suppress(FileNotFoundError, RestyleError):
            if item.raw in found:
                sources["raw"] = self._service.storage.get(found[item.raw].key)
            if item.style in found:
                sources["style"] = self._service.storage.get(found[item.style].key)
            elif item.style.startswith(shelf.PREFIX):
                code = item.style.removeprefix(shelf.PREFIX)
                sources["style"] = shelf.picture(self._service, account_id, code)
        return sources


def favourites_page(ask: Ask) -> Response:
    """A page of them."""
    found = ask.studio.favourites.page(ask.account, ask.query("before"), A_PAGE + 1)
    more = found[A_PAGE - 1].id if len(found) > A_PAGE else ""
    return page(
        ask,
        "favourites.html",
        favourites=found[:A_PAGE],
        more=more,
        used=ask.studio.favourites.used(ask.account),
        most=ask.studio.service.settings.favourite_bytes,
    )


def toggle(ask: Ask) -> Response:
    """A result becomes a favourite, or is one no longer."""
    uid, index = ask.path("uid"), ask.whole("index")
    liked = (uid, index) in ask.studio.favourites.of_tasks(ask.account, [uid])
    if liked:
        ask.studio.favourites.remove(ask.account, (favourites.c.uid == uid) & (favourites.c.image == index))
    else:
        data, _ = result_bytes(ask, uid, index)
        record = ask.studio.tasks.details(ask.account, [uid])[0]
        ask.studio.favourites.add(ask.account, uid, index, record.seeds[index], data)
    return page(ask, "parts/star.html", uid=uid, index=index, liked=not liked)


def remove(ask: Ask) -> Response:
    """Remove one."""
    ask.studio.favourites.remove(ask.account, favourites.c.id == ask.path("id"))
    return lead(ask, "/favourites")


def file(ask: Ask) -> Response:
    """A picture of one."""
    found, kind = ask.studio.favourites.find(ask.account, ask.path("id")), ask.path("kind")
    if found is None or kind not in FILES:
        raise HTTPException(404)
    headers = {
        **HEADERS,
        "Cache-Control": f"private, max-age={KEPT_SECONDS}, immutable",
        "Content-Security-Policy": POLICY,
    }
    return Response(ask.studio.favourites.file(found.id, kind), headers=headers, media_type=FILES[kind])


def reopen(ask: Ask) -> Response:
    """The form again with everything that made it: its two pictures become uploads anew."""
    found = ask.studio.favourites.find(ask.account, ask.path("id"))
    if found is None:
        raise HTTPException(404)
    names = {}
    for kind in ("raw", "style"):
        with suppress(FileNotFoundError):
            data = ask.studio.favourites.file(found.id, kind)
            names[kind] = ask.studio.uploads.add(ask.account, kind, data).id
    query = "&".join([f"favourite={found.id}", *(f"{kind}={name}" for kind, name in names.items())])
    return lead(ask, f"/?{query}")


ROUTES = (
    Route("GET", "/favourites", favourites_page),
    Route("POST", "/results/{uid}/{index}/favourite", toggle, writes=True),
    Route("POST", "/favourites/{id}/remove", remove, writes=True),
    Route("POST", "/favourites/{id}/reopen", reopen, heavy=True),
    Route("GET", "/favourites/{id}/{kind}", file),
)
