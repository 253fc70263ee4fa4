"""Hears the calls of Procrastinate: a thread with an event loop, in which its worker runs."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
import structlog

from restyle.queue.cluster.jobs import TASK

if TYPE_CHECKING:
    from procrastinate import App
    from psycopg import AsyncConnection
    from psycopg_pool import AsyncConnectionPool

POLL_SECONDS = 5.0
"""How often jobs are looked for that nobody told of: Procrastinate's word for it is a notification of PostgreSQL."""
RETRY_SECONDS = 0.5
MAX_RETRY_SECONDS = 10.0
SLEEP_SECONDS = 60.0
STALLED_SECONDS = 15.0
"""How often jobs are looked for whose worker is gone."""

log = structlog.get_logger(__name__)


class Wakeups:
    """Takes as many jobs at once as there are workers here, and holds each until a worker is free that has nothing to
    do: so a machine that is busy leaves the calls to others.

    ``call`` is told of every job. ``spare`` says whether a worker is free for which there is nothing; whoever knows
    calls :meth:`rested` when that may have come true.
    """

    def __init__(
        self,
        url: sa.URL,
        *,
        queues: Sequence[str],
        most: int,
        machine_seconds: float,
        call: Callable[[], None],
        spare: Callable[[], bool],
    ) -> None:
        self._conninfo = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._queues = list(queues)
        self._most = most
        self._machine_seconds = machine_seconds
        self._call = call
        self._spare = spare
        self._stopping = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stirred = asyncio.Event()
        self._ended = asyncio.Event()
        self._thread = threading.Thread(target=self._work, name="wakeups", daemon=True)

    def start(self) -> None:
        """Listen from now on. Tasks are found without it, only later: a database that is away is tried again."""
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """Take no more jobs."""
        self._stopping.set()
        self._tell(self._end)
        self._thread.join(seconds)

    def rested(self) -> None:
        """A worker may be free for which there is nothing. From any thread."""
        self._tell(self._stirred.set)

    def _tell(self, what: Callable[[], None]) -> None:
        loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):  # closed at this moment: nobody listens
                loop.call_soon_threadsafe(what)

    def _end(self) -> None:
        self._ended.set()
        self._stirred.set()

    def _work(self) -> None:
        pause = 0.0
        while not self._stopping.wait(pause):
            began = time.monotonic()
            try:
                asyncio.run(self._listen())
            except Exception:
                log.exception("calls cannot be heard; tasks are found by looking meanwhile")
            if time.monotonic() - began > MAX_RETRY_SECONDS:
                pause = 0.0
            pause = min(max(RETRY_SECONDS, pause * 2), MAX_RETRY_SECONDS)

    async def _listen(self) -> None:
        from procrastinate import App, PsycopgConnector
        from procrastinate.worker import Worker

        self._stirred, self._ended = asyncio.Event(), asyncio.Event()
        self._loop = asyncio.get_running_loop()
        if self._stopping.is_set():
            return
        connector = PsycopgConnector(
            conninfo=self._conninfo, min_size=1, max_size=2, configure=_one_by_one, pool_factory=_pool
        )
        app = App(connector=connector)
        app.task(name=TASK, queue=self._queues[0])(self._serve)
        async with app.open_async():
            worker = Worker(
                app,
                queues=self._queues,
                concurrency=self._most,
                fetch_job_polling_interval=POLL_SECONDS,
                abort_job_polling_interval=3600,
                shutdown_graceful_timeout=1,
                delete_jobs="always",
                install_signal_handlers=False,
                update_heartbeat_interval=self._machine_seconds / 3,
                stalled_worker_timeout=self._machine_seconds,
            )
            running = asyncio.create_task(worker.run())  # type: ignore[no-untyped-call]
            watching = asyncio.create_task(self._watch(app))
            try:
                await asyncio.wait({running, watching}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                watching.cancel()
                worker.stop()  # type: ignore[no-untyped-call]
                await running

    async def _serve(self, uid: str) -> None:
        """A task waits, this one or another: look, and hold the job while no worker here is free for more."""
        self._call()
        while not self._ended.is_set():
            self._stirred.clear()
            if self._spare():  # asked after clearing: what changes from here on is told
                return
            await self._stirred.wait()

    async def _watch(self, app: "App") -> None:
        """End with the service; and let the jobs of workers that are gone be taken by others."""
        while not self._ended.is_set():
            manager = app.job_manager
            await manager.prune_stalled_workers(self._machine_seconds)
            for job in await manager.get_stalled_jobs(seconds_since_heartbeat=self._machine_seconds):
                await manager.retry_job(job)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), STALLED_SECONDS)


async def _one_by_one(connection: "AsyncConnection[Any]") -> None:
    """Each statement of Procrastinate's worker is a transaction as it is."""
    await connection.set_autocommit(True)


def _pool(**given: Any) -> "AsyncConnectionPool[Any]":
    """A pool that does not try each connection before each use, where one that is dead makes all begin anew at once;
    and of connections that sleep until something comes, rather than look ten times a second."""
    from psycopg import AsyncConnection
    from psycopg_pool import AsyncConnectionPool

    class Sleeper(AsyncConnection[Any]):
        async def wait(self, gen: Any, interval: float = SLEEP_SECONDS, timeout: float | None = None) -> Any:
            return await super().wait(gen, interval, timeout)

    return AsyncConnectionPool(**{**given, "check": None, "connection_class": Sleeper})
