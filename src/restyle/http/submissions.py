"""Threads for submissions, in which no account stands behind another."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from restyle.http.limits import Lane

T = TypeVar("T")

THREADS = 32
EACH = 2
"""Submissions of one account at a time. A submission waits for its pictures to be looked at, which a picture may drag
out; further ones of the account wait outside, without a thread."""


@dataclass(slots=True)
class _Door:
    free: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(EACH))
    users: int = 0


class Submissions:
    """For one event loop."""

    def __init__(self) -> None:
        self._lane = Lane(THREADS, "submission")
        self._doors: dict[int, _Door] = {}

    async def run(self, account: int, work: Callable[[], T]) -> T:
        """What ``work`` returns or raises, done in a thread once it is the account's turn."""
        door = self._doors.setdefault(account, _Door())
        door.users += 1
        try:
            async with door.free:
                return await asyncio.wrap_future(self._lane.put(work))
        finally:
            door.users -= 1
            if not door.users:
                del self._doors[account]

    def close(self, seconds: float) -> int:
        """Begin nothing more, and wait ``seconds`` at most for the work under way. Returns the threads still at it."""
        return self._lane.close(time.monotonic() + seconds)
