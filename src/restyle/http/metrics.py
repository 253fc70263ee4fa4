"""What an operator watches, for Prometheus. A registry of its own, so that two services in one process stay apart."""

import threading
import time

import sqlalchemy as sa
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector

from restyle.database import reading, tasks
from restyle.queue.store import TaskStore

CONTENT_TYPE = CONTENT_TYPE_LATEST

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
TASK_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
SETTLED = 2.0
"""Seconds after which no transaction that ended a task is still under way."""


class Metrics:
    """Counters of one service. What workers and other processes do is read from the database when somebody asks."""

    def __init__(self, db: sa.Engine, store: TaskStore) -> None:
        self._db = db
        self._store = store
        self._counted_until = time.time()
        self._lock = threading.Lock()
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "restyle_requests", "Answers by action and RetCode.", ["action", "code"], registry=self._registry
        )
        self.seconds = Histogram(
            "restyle_request_seconds",
            "Time from the headers of a request to its answer.",
            ["action"],
            buckets=SECONDS,
            registry=self._registry,
        )
        self.body_bytes = Counter("restyle_body_bytes", "Bytes of request bodies.", registry=self._registry)
        self.bodies_held = Gauge(
            "restyle_bodies_held_bytes", "Memory set aside for the bodies in flight.", registry=self._registry
        )
        self.results = Counter(
            "restyle_results", "Results asked for, by HTTP status.", ["status"], registry=self._registry
        )
        self._tasks = Gauge("restyle_tasks", "Unfinished tasks by status.", ["status"], registry=self._registry)
        self._ended = Counter(
            "restyle_tasks_ended", "Tasks that ended, by ErrorCode.", ["code"], registry=self._registry
        )
        self._engine_seconds = Histogram(
            "restyle_engine_seconds",
            "Time that finished tasks took, from the start of work to the last picture.",
            buckets=TASK_SECONDS,
            registry=self._registry,
        )
        ProcessCollector(registry=self._registry)

    def page(self) -> bytes:
        """All values, in the text form that ``CONTENT_TYPE`` names."""
        with self._lock:
            for status, count in self._store.counts().items():
                self._tasks.labels(status.value).set(count)
            self._count_ended()
            return generate_latest(self._registry)

    def _count_ended(self) -> None:
        since, until = self._counted_until, time.time() - SETTLED
        query = sa.select(tasks.c.error_code, tasks.c.started, tasks.c.finished).where(
            tasks.c.finished > since, tasks.c.finished <= until
        )
        with reading(self._db) as connection:
            for code, started, finished in connection.execute(query):
                self._ended.labels(str(code)).inc()
                if code == 0 and started is not None:
                    self._engine_seconds.observe(finished - started)
        self._counted_until = max(since, until)
