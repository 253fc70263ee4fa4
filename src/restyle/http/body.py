"""The bytes of a request: counted while they arrive, and given up on when they do not."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from fastapi import Request

from restyle.http.envelope import Refused
from restyle.http.limits import Budget
from restyle.wire.codes import Code

SMALL = 64 * 1024
"""Bodies up to this size need no budget: every request without pictures is smaller."""
COPIES = 2
"""A body is held about twice while it is read: its bytes and the text of them, then the text and its values."""
GRACE_SECONDS = 15.0
SLOWEST = 32 * 1024
"""Bytes a second, after the grace, below which a body is given up: it holds memory that others wait for."""


def check_headers(headers: Mapping[str, str]) -> None:
    """Refuse what is not plain JSON (415)."""
    kind, _, rest = headers.get("content-type", "").partition(";")
    charset = next((each.split("=", 1)[1] for each in rest.split(";") if each.strip().startswith("charset=")), "utf-8")
    if kind.strip().lower() != "application/json" or charset.strip(' "').lower() not in {"utf-8", "utf8"}:
        given = headers.get("content-type", "")[:64]
        said = f"is {given}" if given else "is missing"
        raise Refused(
            415, Code.BODY_NOT_OBJECT, f"Content-Type {said}; send application/json in UTF-8", field="Content-Type"
        )
    coding = headers.get("content-encoding", "identity")
    if coding.strip().lower() not in {"", "identity"}:
        raise Refused(
            415,
            Code.BODY_NOT_OBJECT,
            f"Content-Encoding is {coding[:64]}; send the body uncompressed",
            field="Content-Encoding",
        )


class _Incoming:
    """A body as far as it has come."""

    def __init__(self, request: Request) -> None:
        self.buffer = bytearray()
        self.ended = False
        self._chunks = request.stream()
        self._began = asyncio.get_running_loop().time()

    async def fill(self, enough: int) -> None:
        """Read until the end, or until there are more than ``enough`` bytes. Raises Refused (408, 4001)."""
        try:
            async with asyncio.timeout_at(self._deadline()) as patience:
                while not self.ended and len(self.buffer) <= enough:
                    chunk = await anext(self._chunks, None)
                    self.ended = chunk is None
                    self.buffer += chunk or b""
                    patience.reschedule(self._deadline())
        except TimeoutError:
            raise Refused(
                408,
                Code.BODY_NOT_OBJECT,
                f"the body stopped arriving after {len(self.buffer):,} bytes; send it again",
                headers={"Connection": "close"},
            ) from None

    async def discard(self, most: int) -> None:
        """Read on without keeping, for senders that read the answer only after they have sent everything."""
        self.buffer.clear()
        try:
            async with asyncio.timeout(GRACE_SECONDS):
                while most > 0 and (chunk := await anext(self._chunks, None)) is not None:
                    most -= len(chunk)
        except TimeoutError:
            return

    def _deadline(self) -> float:
        return self._began + GRACE_SECONDS + len(self.buffer) / SLOWEST


@asynccontextmanager
async def received(request: Request, budget: Budget, cap: int) -> AsyncIterator[bytearray]:
    """The body of ``request``, at most ``cap`` bytes, its memory held in ``budget`` until the block ends.

    Raises Refused: 413 (4002) past the cap, 408 (4001) when it does not arrive, 429 (4008) when there is no room.
    """
    announced = request.headers.get("content-length", "")
    size = int(announced) if announced.isdecimal() else None
    incoming = _Incoming(request)
    if size is not None and size > cap:
        if "100-continue" not in request.headers.get("expect", "").lower():
            await incoming.discard(cap)
        raise _too_large(cap)
    if size is None or size <= SMALL:
        # Without a length, too, most are small; only one that goes on is held for the largest it may become.
        await incoming.fill(min(SMALL, cap))
        if incoming.ended and len(incoming.buffer) <= cap:
            yield incoming.buffer
            return
    async with budget.hold(COPIES * (cap if size is None else size)):
        await incoming.fill(cap)
        if len(incoming.buffer) > cap:
            await incoming.discard(cap)
            raise _too_large(cap)
        yield incoming.buffer


def _too_large(cap: int) -> Refused:
    return Refused(
        413,
        Code.BODY_TOO_LARGE,
        f"the body is larger than {cap:,} bytes; send smaller pictures, or fewer",
        headers={"Connection": "close"},
    )
