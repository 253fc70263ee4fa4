"""What keeps one client from taking what belongs to all: memory, threads and turns."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

from restyle.http.envelope import later
from restyle.wire.codes import Code

T = TypeVar("T")

WAIT_SECONDS = 20.0
"""How long a body waits for memory before its sender is asked to come back."""
LIGHT_THREADS = 8
HEAVY_THREADS = 2
"""Threads for requests that carry pictures. More would not be faster on the cores that the workers leave, and each
holds a body several times over."""


class Rate:
    """A token bucket per key: ``per_minute`` tokens at most, refilled evenly. For threads.

    Only keys whose signature was right get a bucket, so there are no more buckets than keys, and nobody can use up the
    turns of another.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._capacity = float(per_minute)
        self._per_second = per_minute / 60
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, key: str) -> None:
        """Use one turn of ``key``. Raises Refused (429, 4008) when there is none."""
        with self._lock:
            now = self._clock()
            tokens, since = self._buckets.get(key, (self._capacity, now))
            tokens = min(self._capacity, tokens + (now - since) * self._per_second)
            if tokens < 1:
                self._buckets[key] = (tokens, now)
                wait = (1 - tokens) / self._per_second
                raise later(
                    429,
                    Code.RATE_LIMITED,
                    f"more than {self._capacity:g} requests in a minute; wait {wait:.1f} s",
                    wait,
                )
            self._buckets[key] = (tokens - 1, now)


class Budget:
    """Bytes that the bodies in flight may take together, first come, first served. For one event loop."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._held = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def held(self) -> int:
        """Bytes held now."""
        return self._held

    @asynccontextmanager
    async def hold(self, count: int, patience: float = WAIT_SECONDS) -> AsyncIterator[None]:
        """Hold ``count`` bytes, all of the budget at most. Raises Refused (429, 4008) after ``patience`` seconds."""
        count = min(count, self._size)
        await self._acquire(count, patience)
        try:
            yield
        finally:
            self._held -= count
            self._admit()

    async def _acquire(self, count: int, patience: float) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        place = (count, turn)
        self._waiting.append(place)
        self._admit()
        try:
            async with asyncio.timeout(patience):
                await turn
        except TimeoutError:
            raise later(
                429, Code.RATE_LIMITED, "too many large bodies at once; send this one again in a few seconds", 2
            ) from None
        finally:
            if place in self._waiting:
                self._waiting.remove(place)
                self._admit()

    def _admit(self) -> None:
        while self._waiting and self._held + self._waiting[0][0] <= self._size:
            count, turn = self._waiting.popleft()
            if not turn.done():
                self._held += count
                turn.set_result(None)


class Lanes:
    """Two sets of threads, so that requests about tasks never stand behind requests with pictures."""

    def __init__(self) -> None:
        self._light = ThreadPoolExecutor(LIGHT_THREADS, "light")
        self._heavy = ThreadPoolExecutor(HEAVY_THREADS, "heavy")

    async def run(self, work: Callable[[], T], *, heavy: bool) -> T:
        """What ``work`` returns or raises, done in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._heavy if heavy else self._light, work)

    def close(self) -> None:
        """Wait for the work under way."""
        self._light.shutdown()
        self._heavy.shutdown()
