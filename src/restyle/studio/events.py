"""How runs come on, as server-sent events: one stream a page, and one look at the database for all of them.

What a stream says is what ``/runs/<run>/state`` answers, so a page whose stream fails asks for that instead.
"""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

from fastapi import Response
from starlette.exceptions import HTTPException
from starlette.responses import StreamingResponse

from restyle.http.envelope import later
from restyle.http.service import Service
from restyle.queue.record import Status
from restyle.studio.ask import Ask
from restyle.studio.page import HEADERS
from restyle.studio.runs import Run
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

LOOK_SECONDS = 0.4
QUIET_SECONDS = 15.0
"""After so long without news a comment is sent, so that nobody on the way takes the stream for dead."""
STREAM_SECONDS = 600.0
"""A stream ends after that; the browser begins another."""
MOST_STREAMS = 256
MOST_OF_ACCOUNT = 24


def state_of(run: Run, positions: dict[str, int]) -> dict[str, Any]:
    """A run as a page follows it: what has ended, and how far the rest is. ``positions`` are places in the queue."""
    items = []
    for item in run.items:
        place = positions.get(item.uid or "")
        items.append([item.position, item.state, round(item.progress, 3), place])
    return {
        "done": run.done,
        "failed": run.failed,
        "total": len(run.items),
        "progress": round(run.progress, 4),
        "items": items,
        "ended": run.done == len(run.items),
    }


def look(ask: Ask, run_id: str) -> dict[str, Any]:
    """The state of the account's run. Raises HTTPException (404)."""
    with ask.studio.service.needed():
        run = ask.studio.runs.find(ask.account, run_id) if ask.studio.sessions.read(ask.cookie) else None
    if run is None:
        raise HTTPException(404)
    queued = any(item.state == Status.QUEUING for item in run.items)
    return state_of(run, ask.studio.tasks.positions(ask.account) if queued else {})


class Events:
    """The streams of one service. For its event loop."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._streams: Counter[int] = Counter()
        self._looks: dict[tuple[int, str], tuple[float, asyncio.Future[dict[str, Any]]]] = {}

    async def stream(self, ask: Ask) -> Response:
        """The stream of a run. Raises HTTPException (404), and Refused (429) where there are too many."""
        account, run = ask.account, ask.path("run")
        await self._look(ask, run)
        if self._streams.total() >= MOST_STREAMS or self._streams[account] >= MOST_OF_ACCOUNT:
            raise later(429, Code.RATE_LIMITED, "too many pages follow their tasks at once", 5)
        headers = {**HEADERS, "X-Accel-Buffering": "no"}
        return StreamingResponse(self._tell(ask, run), headers=headers, media_type="text/event-stream")

    async def _tell(self, ask: Ask, run: str) -> AsyncIterator[str]:
        account = ask.account
        self._streams[account] += 1
        try:
            began = spoke = time.monotonic()
            said = ""
            while time.monotonic() - began < STREAM_SECONDS and not self._service.draining:
                try:
                    state = await self._look(ask, run)
                except (HTTPException, RestyleError):
                    return  # the session has ended, or the database is away; the page asks again
                text = json.dumps(state, separators=(",", ":"))
                if text != said:
                    yield f"data: {text}\n\n"
                    said, spoke = text, time.monotonic()
                elif time.monotonic() - spoke > QUIET_SECONDS:
                    yield ": still here\n\n"
                    spoke = time.monotonic()
                if state["ended"]:
                    return
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            self._streams[account] -= 1

    async def _look(self, ask: Ask, run: str) -> dict[str, Any]:
        """The state of a run, looked at once for all pages that follow it."""
        now = time.monotonic()
        key = (ask.account, run)
        known = self._looks.get(key)
        if known is None or now - known[0] > LOOK_SECONDS / 2:
            self._looks = {key: each for key, each in self._looks.items() if now - each[0] < QUIET_SECONDS}
            work = partial(look, ask, run)
            known = now, asyncio.ensure_future(self._service.lanes.run(work, heavy=False))
            self._looks[key] = known
        return await asyncio.shield(known[1])
