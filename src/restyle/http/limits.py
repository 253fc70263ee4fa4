"""What keeps one client from taking what belongs to all: turns and threads. The memory of bodies is in ``budget``."""

import asyncio
import contextlib
import ipaddress
import queue
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from restyle.http.envelope import Refused, failure, later
from restyle.settings import Settings, networks
from restyle.wire.codes import Code

T = TypeVar("T")

LIGHT_THREADS = 8
HEAVY_THREADS = 2
"""Threads for requests that carry pictures. More would not be faster on the cores that the workers leave, and each
holds a body several times over."""
WRITING_THREADS = 4
"""Threads for requests that change a record: the database has one writer at a time."""
FREE = frozenset({"/healthz", "/readyz"})
"""Paths that take no turn of an address."""
BUCKETS = 10_000
"""Buckets from which on those that are full again are forgotten, once a minute at most."""


def client_of(request: Request) -> str:
    """The address that ``request`` came from, where a trusted proxy has passed it on the one that the proxy names."""
    return request.client.host if request.client is not None else ""


def address_of(request: Request) -> str:
    """Whom the limits per address count ``request`` to: an IPv4 address, or the network (/64) of an IPv6 address, since
    who has one of these has all of them."""
    host = client_of(request)
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((address, 64), strict=False))


def check_internal(request: Request, settings: Settings) -> None:
    """Raises Refused (403) unless ``request`` comes from a network of the setting ``internal_networks``."""
    host = client_of(request).partition("%")[0]
    try:
        address: ipaddress.IPv4Address | ipaddress.IPv6Address | None = ipaddress.ip_address(host)
    except ValueError:  # a client without an address, such as one on a Unix socket
        address = None
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address
    if address is None or not any(address in network for network in networks(settings.internal_networks)):
        raise Refused(
            403,
            Code.ACTION_NOT_FOUND,
            "this page is for the service's own networks; whoever runs it names them in RESTYLE_INTERNAL_NETWORKS",
        )


class Rate:
    """A token bucket per key, or per address: ``per_minute`` tokens at most, refilled evenly. For threads.

    Only keys whose signature was right get a bucket, so nobody can use up the turns of another. A bucket that is full
    again is as good as none.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._capacity = float(per_minute)
        self._per_second = per_minute / 60
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[str, tuple[float, float]] = {}
        self._swept = clock()

    def __len__(self) -> int:
        """Buckets that are remembered."""
        return len(self._buckets)

    def take(self, key: str) -> None:
        """Use one turn of ``key``. Raises Refused (429, 4008) when there is none."""
        with self._lock:
            now = self._clock()
            if len(self._buckets) >= BUCKETS and now - self._swept >= 60:
                self._sweep(now)
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

    def _sweep(self, now: float) -> None:
        self._swept = now
        self._buckets = {
            key: (tokens, since)
            for key, (tokens, since) in self._buckets.items()
            if tokens + (now - since) * self._per_second < self._capacity
        }


class AddressRate:
    """Middleware: every request of an address takes one of its turns, before a byte of its body is read.

    Health is asked by those who would restart a service that does not answer, so it is free. ``refused`` is called for
    each request that got no turn.
    """

    def __init__(self, app: ASGIApp, rate: Rate, refused: Callable[[], None]) -> None:
        self._app = app
        self._rate = rate
        self._refused = refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer: ASGIApp = self._app
        if scope["type"] == "http" and scope["path"] not in FREE:
            try:
                self._rate.take(address_of(Request(scope)))
            except Refused as error:
                self._refused()
                answer = failure(error, {})
        await answer(scope, receive, send)


class Turns:
    """At most ``most`` at once for each address; more wait, first come, first served. For one event loop."""

    def __init__(self, most: int, patience: float) -> None:
        self._most = most
        self._patience = patience
        self._used: dict[str, tuple[asyncio.Semaphore, list[None]]] = {}

    @asynccontextmanager
    async def hold(self, address: str, what: str) -> AsyncIterator[None]:
        """Hold one of the turns of ``address``. Raises Refused (429, 4008), naming ``what``, after the patience."""
        turns, users = self._used.setdefault(address, (asyncio.Semaphore(self._most), []))
        users.append(None)
        try:
            try:
                async with asyncio.timeout(self._patience):
                    await turns.acquire()
            except TimeoutError:
                raise later(
                    429, Code.RATE_LIMITED, f"more than {self._most} {what} of one address at once; come back", 1
                ) from None
            try:
                yield
            finally:
                turns.release()
        finally:
            users.pop()
            if not users:
                del self._used[address]


class Lanes:
    """Three sets of threads, so that requests about tasks never stand behind requests with pictures, nor behind those
    that wait for a database which somebody keeps from being written.

    The threads are daemons and not an executor's, since Python waits for those at its end, however long.
    """

    def __init__(self) -> None:
        self._light = Lane(LIGHT_THREADS, "light")
        self._heavy = Lane(HEAVY_THREADS, "heavy")
        self._writing = Lane(WRITING_THREADS, "writing")

    async def run(self, work: Callable[[], T], *, heavy: bool, writes: bool = False) -> T:
        """What ``work`` returns or raises, done in a thread."""
        lane = self._writing if writes else self._heavy if heavy else self._light
        result: T = await asyncio.wrap_future(lane.put(work))
        return result

    def close(self, seconds: float) -> int:
        """Begin nothing more, and wait ``seconds`` at most for the work under way. Returns the threads still at it."""
        end = time.monotonic() + seconds
        return sum(lane.close(end) for lane in (self._light, self._writing, self._heavy))


class Lane:
    """Daemon threads, and the work that waits for one."""

    def __init__(self, threads: int, name: str) -> None:
        self._work: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self._at_work: set[threading.Thread] = set()
        self._threads = [threading.Thread(target=self._run, name=f"{name}_{n}", daemon=True) for n in range(threads)]
        for thread in self._threads:
            thread.start()

    def put(self, work: Callable[[], T]) -> Future[T]:
        """Have ``work`` done by the next thread that is free."""
        future: Future[T] = Future()
        self._work.put((future, work))
        return future

    def close(self, end: float) -> int:
        """Begin nothing more, wait until ``end`` (monotonic seconds) at most, and return the threads still at work."""
        with contextlib.suppress(queue.Empty):
            while (waiting := self._work.get_nowait()) is not None:
                waiting[0].cancel()
        for _ in self._threads:
            self._work.put(None)
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        return len(self._at_work)

    def _run(self) -> None:
        while self._do_next():
            pass

    def _do_next(self) -> bool:
        """A method of its own, so that a thread that waits for work keeps nothing of the last alive."""
        item = self._work.get()
        if item is None:
            return False
        future, work = item
        if future.set_running_or_notify_cancel():
            self._at_work.add(threading.current_thread())
            try:
                result = work()
            except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits for the result
                future.set_exception(error)
            else:
                future.set_result(result)
            finally:
                self._at_work.discard(threading.current_thread())
        return True
