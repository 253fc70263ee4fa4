"""``GET /results/<TaskUID>/<index>.png``: the pictures, for whoever has the URL."""

import time
from functools import partial

from fastapi import Request, Response

from restyle.http.envelope import HEADERS, Refused
from restyle.http.links import gone
from restyle.http.service import Service
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

POLICY = "default-src 'none'; sandbox"
"""For a browser that is led to believe that a picture is a page."""


async def result(service: Service, request: Request, uid: str, index: int) -> Response:
    """One picture. Raises Refused: 403, 404, 410."""
    expires = request.query_params.get("expires", "")
    token = request.query_params.get("token", "")
    try:
        until = int(expires) if expires.isascii() and expires.isdecimal() and len(expires) < 16 else 0
        service.links.check(uid, index, until, token)
        data = await service.lanes.run(partial(_load, service, uid, index), heavy=False)
    except Refused as error:
        service.metrics.results.labels(str(error.status)).inc()
        raise
    service.metrics.results.labels("200").inc()
    return Response(
        data,
        media_type="image/png",
        headers={
            **HEADERS,
            "Cache-Control": f"private, max-age={max(0, until - int(time.time()))}, immutable",
            "Content-Disposition": f'inline; filename="{uid}-{index}.png"',
            "Content-Security-Policy": POLICY,
        },
    )


def _load(service: Service, uid: str, index: int) -> bytes:
    with service.needed():
        try:
            key = service.tasks.result(uid, index)
        except RestyleError as error:
            raise Refused(404, Code.TASK_NOT_FOUND, error.message) from None
        if key is None:
            raise gone()
        try:
            return service.storage.get(key)
        except FileNotFoundError:
            raise gone() from None
