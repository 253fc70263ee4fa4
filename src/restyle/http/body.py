"""The bytes of a request: counted while they arrive, and given up on when they do not."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import ExitStack, asynccontextmanager

from fastapi import Request

from restyle.http.budget import Budget, Claim
from restyle.http.envelope import Refused
from restyle.http.limits import address_of
from restyle.wire.codes import Code

SMALL = 64 * 1024
"""Bodies up to this size need no budget: every request without pictures is smaller. It is also what is read of any body
before memory is claimed for it."""
STEP = 256 * 1024
"""Bytes for which a body gets memory at a time."""
COPIES = 2
"""A body is held about twice while it is read: its bytes and the text of them, then the text and its values."""
SLOWEST = 8 * 1024
"""Bytes a second, after the grace, below which a body is given up even when nobody waits."""


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
    """A body as far as it has come. Its clock runs only while the sender is waited for."""

    def __init__(self, request: Request, grace: float) -> None:
        self.buffer = bytearray()
        self.ended = False
        self._chunks = request.stream()
        self._patience = grace

    async def fill(self, enough: int, claim: Claim | None = None) -> None:
        """Read until the end, or until there are more than ``enough`` bytes. Raises Refused (408, 4001)."""
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            async with asyncio.timeout(self._patience) as patience:
                with ExitStack() as stack:
                    if claim is not None:
                        stack.enter_context(claim.awaiting(patience))
                    while not self.ended and len(self.buffer) <= enough:
                        chunk = await anext(self._chunks, None)
                        self.ended = chunk is None
                        if chunk:
                            self.buffer += chunk
                            self._patience += len(chunk) / SLOWEST
                            if claim is None or not claim.gave_way:
                                patience.reschedule(began + self._patience)
        except TimeoutError:
            if claim is not None and claim.gave_way:
                why = f"came too slowly while others waited, and was given up after {len(self.buffer):,} bytes"
            else:
                why = f"stopped arriving after {len(self.buffer):,} bytes"
            raise Refused(
                408, Code.BODY_NOT_OBJECT, f"the body {why}; send it again", headers={"Connection": "close"}
            ) from None
        self._patience -= clock() - began


@asynccontextmanager
async def received(
    request: Request, budget: Budget, cap: int, grace: float, is_known: Callable[[bytes], Awaitable[bool]]
) -> AsyncIterator[bytearray]:
    """The body of ``request``, at most ``cap`` bytes, its memory held in ``budget`` until the block ends.

    ``is_known`` tells from the first ``SMALL`` bytes whether the body names a known key; those that do go first. Raises
    Refused: 413 (4002) past the cap, 408 (4001) when it does not arrive, ``grace`` seconds being for free, 429 (4008)
    when there is no room.
    """
    announced = request.headers.get("content-length", "")
    size = int(announced) if announced.isdecimal() and len(announced) < 20 else None
    if size is not None and size > cap:
        raise _too_large(cap)
    incoming = _Incoming(request, grace)
    await incoming.fill(min(SMALL, cap))
    if incoming.ended and len(incoming.buffer) <= cap:
        yield incoming.buffer
        return
    known = await is_known(bytes(incoming.buffer[:SMALL]))
    with budget.claim(address_of(request), COPIES * (cap if size is None else size), known=known) as claim:
        while not incoming.ended and len(incoming.buffer) <= cap:
            await claim.grow(COPIES * (len(incoming.buffer) + STEP))
            await incoming.fill(min(len(incoming.buffer) + STEP - 1, cap), claim)
        if len(incoming.buffer) > cap:
            raise _too_large(cap)
        claim.settle(COPIES * len(incoming.buffer))
        yield incoming.buffer


def _too_large(cap: int) -> Refused:
    return Refused(
        413,
        Code.BODY_TOO_LARGE,
        f"the body is larger than {cap:,} bytes; send smaller pictures, or fewer",
        headers={"Connection": "close"},
    )
