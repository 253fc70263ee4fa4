"""``GET /results/<TaskUID>/<index>.png``: the pictures, for whoever has the URL."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial

import structlog
from fastapi import Request, Response
from starlette.exceptions import HTTPException
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from restyle.http.envelope import HEADERS, Refused
from restyle.http.limits import address_of, client_of
from restyle.http.links import gone
from restyle.http.service import Service
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

POLICY = "default-src 'none'; sandbox"
"""For a browser that is led to believe that a picture is a page."""


MOST_DIGITS = 4
"""Of an index: no task has that many images."""
MOST_UID = 20
"""Characters of a TaskUID, and of what was sent in its place that the log repeats."""

log = structlog.get_logger(__name__)


class _Picture(StreamingResponse):
    """Sends pieces as the client takes them, and gives up what it holds however that ends."""

    def __init__(self, pieces: AsyncIterator[bytes], held: AsyncExitStack, headers: dict[str, str]) -> None:
        super().__init__(pieces, headers=headers, media_type="image/png")
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._held:
            await super().__call__(scope, receive, send)


async def result(service: Service, request: Request, uid: str, index: str) -> Response:
    """One picture. Raises Refused: 403, 404, 410, 429."""
    if not (index.isascii() and index.isdecimal() and len(index) <= MOST_DIGITS and str(int(index)) == index):
        raise HTTPException(404)
    try:
        response = await _answer(service, request, uid, int(index))
    except Refused as error:
        _count(service, request, uid, error.status)
        raise
    _count(service, request, uid, 200)
    return response


def _count(service: Service, request: Request, uid: str, status: int) -> None:
    service.metrics.results.labels(str(status)).inc()
    log.info("result", task=uid[:MOST_UID], status=status, client=client_of(request))


async def _answer(service: Service, request: Request, uid: str, index: int) -> Response:
    expires = request.query_params.get("expires", "")
    token = request.query_params.get("token", "")
    until = int(expires) if expires.isascii() and expires.isdecimal() and len(expires) < 16 else 0
    service.links.check(uid, index, until, token)
    key = await service.lanes.run(partial(_key, service, uid, index), heavy=False)
    async with AsyncExitStack() as held:
        await held.enter_async_context(service.downloads.hold(address_of(request), "results"))
        try:
            with service.needed():
                size, pieces = await held.enter_async_context(service.storage.stream(key))
        except FileNotFoundError:
            raise gone() from None
        headers = {
            **HEADERS,
            "Content-Length": str(size),
            "Cache-Control": f"private, max-age={max(0, until - int(time.time()))}, immutable",
            "Content-Disposition": f'inline; filename="{uid}-{index}.png"',
            "Content-Security-Policy": POLICY,
        }
        if request.method == "HEAD":
            return Response(headers=headers, media_type="image/png")
        return _Picture(pieces, held.pop_all(), headers)


def _key(service: Service, uid: str, index: int) -> str:
    with service.needed():
        try:
            key = service.tasks.result(uid, index)
        except RestyleError as error:
            raise Refused(404, Code.TASK_NOT_FOUND, error.message) from None
    if key is None:
        raise gone()
    return key
