"""What can be taken away: all results of a run in one file, and a conversion as a request to paste."""

import json
import zipfile
from collections.abc import Iterator, Mapping
from io import RawIOBase
from typing import Any

from fastapi import Response
from starlette.exceptions import HTTPException
from starlette.responses import StreamingResponse

from restyle.conversion.plan import USES
from restyle.engines.base import Feature, Role
from restyle.http.links import base_of
from restyle.http.samples import PYTHON_START, python_of, shell_of, shell_start
from restyle.queue.record import Status
from restyle.studio.ask import Ask
from restyle.studio.cards import cards
from restyle.studio.form import STYLE_ROLES
from restyle.studio.page import HEADERS, page
from restyle.studio.pictures import result_name
from restyle.studio.route import Route
from restyle.studio.runs import Item
from restyle.wire.errors import RestyleError
from restyle.wire.names import FIELDS, PARAMETERS, PICTURES

PHOTO, STYLE, CONTROL, MASK = "${PHOTO}", "${STYLE}", "${CONTROL}", "${MASK}"
"""Stand for the pictures in requests."""


class _Outlet(RawIOBase):
    """A file that is written and never read back: what was written is taken in pieces."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._at = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def write(self, data: Any) -> int:
        piece = bytes(data)
        self._pieces.append(piece)
        self._at += len(piece)
        return len(piece)

    def take(self) -> bytes:
        """What was written since the last time."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


def archive(ask: Ask) -> Response:
    """All results of a run in one ZIP, made as it is sent: one picture at a time is in memory."""
    run = ask.studio.runs.find(ask.account, ask.path("run"))
    if run is None:
        raise HTTPException(404)
    found = [(each, key) for each in run.items if each.record for key in each.record.images]
    if not found:
        raise HTTPException(404)
    headers = {**HEADERS, "Content-Disposition": f'attachment; filename="restyle-{run.id}.zip"'}
    return StreamingResponse(_zip(ask, found), headers=headers, media_type="application/zip")


def _zip(ask: Ask, found: list[tuple[Item, str]]) -> Iterator[bytes]:
    """PNG files are compressed already, so they are only put together."""
    outlet = _Outlet()
    used: set[str] = set()
    with zipfile.ZipFile(outlet, "w", zipfile.ZIP_STORED) as file:
        for item, key in found:
            try:
                data = ask.studio.service.storage.get(key)
            except FileNotFoundError:
                continue  # it expired on the way
            file.writestr(_name(item, used), data)
            yield outlet.take()
    yield outlet.take()


def _name(item: Item, used: set[str]) -> str:
    """A name of its own for each picture."""
    name, number = result_name(item.label, str(item.position)), 1
    stem = name.removesuffix(".restyled.png")
    while name.casefold() in used:
        number += 1
        name = f"{stem}-{number}.restyled.png"
    used.add(name.casefold())
    return name


def task(ask: Ask) -> Response:
    """One task of the account, whichever way it was asked for."""
    uid = ask.path("uid")
    try:
        record = ask.studio.tasks.details(ask.account, [uid])[0]
    except RestyleError:
        raise HTTPException(404) from None
    item = ask.studio.runs.of_tasks([uid]).get(uid)
    card = cards(ask, [(item, record)])[0]
    spec = ask.studio.runs.spec(ask.account, uid)
    return page(ask, "task.html", card=card, record=record, spec=spec, expired=_expired(card), Status=Status)


def _expired(card: Any) -> bool:
    return card.record.status is Status.FINISHED and not card.pictures


def copies(ask: Ask) -> Response:
    """A task as the request that would make it again: for a shell, for Python, and as JSON."""
    uid = ask.path("uid")
    spec = ask.studio.runs.spec(ask.account, uid)
    if spec is None:
        raise HTTPException(404)
    record = ask.studio.tasks.details(ask.account, [uid])[0]
    honours = ask.studio.service.registry.family(str(spec.get("family", ""))).honours
    fields = wire_fields(spec, honours, record.seed, len(record.seeds))
    address = base_of(ask.request, ask.studio.service.settings)
    action = "ApplyReferenceStyle"
    return page(
        ask,
        "parts/copies.html",
        curl=shell_start(address) + shell_of(action, fields),
        python=PYTHON_START + "\n" + python_of(action, fields),
        json=json.dumps({"Action": action, **fields}, indent=2, ensure_ascii=False),
    )


def wire_fields(spec: Mapping[str, Any], honours: frozenset[Feature], seed: int, count: int) -> dict[str, Any]:
    """The fields of the request that asks for a stored plan, with names for its pictures.

    Of parameters those are left out that mean nothing to the engine, by what it ``honours``.
    """
    inference = spec.get("inference", {})
    subs = [each for each in spec.get("files", ()) if each.get("role") in STYLE_ROLES]
    fields: dict[str, Any] = {
        "MainModel": {
            "ModelCode": spec["model"],
            "InferenceParams": {
                wire: inference[own]
                for own, wire in PARAMETERS.items()
                if own in inference and USES.get(own) in honours
            },
        }
    }
    if subs:
        fields["SubModelList"] = [
            {"ModelCode": each["name"], "InferenceParams": {"LoraWeight": each["weight"]}} for each in subs
        ]
    fields |= {wire: spec[own] for own, wire in FIELDS.items() if own in spec and own not in ("model", "sub_models")}
    fields |= {"Seed": seed, "BatchSize": count}
    pictures = [PHOTO, STYLE]
    if spec.get("control"):
        net = next(each for each in spec["files"] if each["role"] == Role.CONTROLNET)
        fields |= {FIELDS["control_type"]: net["facts"]["control"], PICTURES["control_image"]: len(pictures)}
        pictures.append(CONTROL)
    if spec.get("mask"):
        fields[PICTURES["mask"]] = len(pictures)
        pictures.append(MASK)
    return {**fields, "RawImageIndex": 0, "StyleImageIndex": 1, "ImageList": pictures}


ROUTES = (
    Route("GET", "/runs/{run}/results.zip", archive),
    Route("GET", "/tasks/{uid}", task),
    Route("GET", "/tasks/{uid}/copies", copies),
)
