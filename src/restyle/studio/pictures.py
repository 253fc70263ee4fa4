"""Pictures as pages show them: uploads, styles of the shelf, and small ones of results."""

import json
from urllib.parse import quote

from fastapi import Response
from starlette.exceptions import HTTPException

from restyle.http import styles
from restyle.http.results import POLICY
from restyle.http.styles import thumbnail as thumbnail_of
from restyle.images.thumbnail import thumbnail as small
from restyle.queue.record import TaskRecord
from restyle.storage import thumbnail_key
from restyle.studio.ask import Ask
from restyle.studio.page import HEADERS
from restyle.studio.route import Route
from restyle.studio.uploads import Upload, view_key
from restyle.styles.official import is_official
from restyle.wire.errors import RestyleError

SIDE = 480
PICTURES = frozenset({"jpg", "jpeg", "png", "webp", "avif", "heic", "heif", "gif", "bmp", "tif", "tiff"})
"""Endings of names that a result's name does without."""
KEPT_SECONDS = 24 * 3600
"""How long a browser may keep a picture, which never changes under its address."""


def added(ask: Ask, data: bytes, name: str) -> Response:
    """An upload, looked at and kept."""
    return _described(ask, ask.studio.uploads.add(ask.account, name, data))


def reuse(ask: Ask) -> Response:
    """A result becomes an upload, to be used as raw image or as style."""
    data, name = result_bytes(ask, ask.path("uid"), ask.whole("index"))
    return _described(ask, ask.studio.uploads.add(ask.account, name, data))


def reuse_upload(ask: Ask) -> Response:
    """An upload in another box than the one it was brought to; its time begins again."""
    found = ask.studio.uploads.find(ask.account, [ask.path("id")])
    if not found:
        raise HTTPException(404)
    ask.studio.uploads.keep(list(found))
    return _described(ask, found[ask.path("id")])


def reuse_style(ask: Ask) -> Response:
    """The picture of a style of the shelf becomes an upload."""
    try:
        kept = styles.find(ask.studio.service, ask.account, ask.path("code"))
    except RestyleError:
        raise HTTPException(404) from None
    name = ask.say(kept.name) if kept.is_official else kept.name
    return _described(ask, ask.studio.uploads.add(ask.account, name, kept.picture))


def upload(ask: Ask) -> Response:
    """An upload as a page shows it: ``view`` or ``thumbnail``."""
    found = ask.studio.uploads.find(ask.account, [ask.path("id")])
    if not found:
        raise HTTPException(404)
    return _picture(_stored(ask, view_key(ask.path("id"), small=ask.path("size") == "thumbnail")))


def style(ask: Ask) -> Response:
    """A style of the shelf, small. An account's own may be replaced under its name, so that is asked for again."""
    code = ask.path("code")
    try:
        data = thumbnail_of(ask.studio.service, ask.account, code)
    except RestyleError:
        raise HTTPException(404) from None
    return _picture(data, lasting=is_official(code))


def thumbnail(ask: Ask) -> Response:
    """A result, small: made when it is asked for first, and deleted with the result."""
    uid, index = ask.path("uid"), ask.whole("index")
    key = thumbnail_key(uid, index)
    own_result(ask, uid, index)
    try:
        return _picture(ask.studio.service.storage.get(key))
    except FileNotFoundError:
        data = small(result_bytes(ask, uid, index)[0], SIDE)
    ask.studio.service.storage.put(key, data)
    return _picture(data)


def download(ask: Ask) -> Response:
    """A result as a file, under the name of its photograph."""
    uid, index = ask.path("uid"), ask.whole("index")
    data, name = result_bytes(ask, uid, index)
    made_for = ask.studio.runs.of_tasks([uid]).get(uid)
    if made_for is not None:
        name = result_name(made_for.label, str(made_for.position))
    headers = {**HEADERS, "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}"}
    return Response(data, headers=headers, media_type="image/png")


def result_name(label: str, otherwise: str) -> str:
    """What the file of a result is called, by what sets it apart; every system takes it."""
    kept = "".join(mark if mark.isalnum() or mark in "-_. " else "_" for mark in label)
    stem, dot, suffix = kept.rpartition(".")
    named = stem if dot and suffix.lower() in PICTURES else kept
    return f"{named or otherwise}.restyled.png"


def own_result(ask: Ask, uid: str, index: int) -> TaskRecord:
    """The account's task, which still has that image. Raises HTTPException (404)."""
    try:
        record = ask.studio.tasks.details(ask.account, [uid])[0]
    except RestyleError:
        raise HTTPException(404) from None
    if index >= len(record.images):
        raise HTTPException(404)
    return record


def result_bytes(ask: Ask, uid: str, index: int) -> tuple[bytes, str]:
    """The file of a result of the account, and a name for it. Raises HTTPException (404)."""
    record = own_result(ask, uid, index)
    return _stored(ask, record.images[index]), f"{uid}-{index}.png"


def _stored(ask: Ask, key: str) -> bytes:
    try:
        return ask.studio.service.storage.get(key)
    except FileNotFoundError:
        raise HTTPException(404) from None


def _described(ask: Ask, upload: Upload) -> Response:
    base = f"{ask.studio.base}/uploads/{upload.id}"
    told = {
        "id": upload.id,
        "name": upload.name,
        "width": upload.width,
        "height": upload.height,
        "address": base,
    }
    return Response(json.dumps(told), 201, HEADERS, "application/json")


def _picture(data: bytes, *, lasting: bool = True) -> Response:
    kept = f"private, max-age={KEPT_SECONDS}, immutable" if lasting else "private, no-cache"
    headers = {**HEADERS, "Cache-Control": kept, "Content-Security-Policy": POLICY}
    return Response(data, headers=headers, media_type="image/jpeg")


ROUTES = (
    Route("POST", "/results/{uid}/{index}/reuse", reuse, heavy=True),
    Route("POST", "/uploads/{id}/reuse", reuse_upload, writes=True),
    Route("POST", "/styles/{code}/reuse", reuse_style, heavy=True),
    Route("GET", "/uploads/{id}/{size}", upload),
    Route("GET", "/styles/{code}/thumbnail", style, heavy=True),
    Route("GET", "/results/{uid}/{index}/file", download, heavy=True),
    Route("GET", "/results/{uid}/{index}/thumbnail", thumbnail, heavy=True),
)
