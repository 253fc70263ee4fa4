"""What an operator watches, for Prometheus. A registry of its own, so that two services in one process stay apart."""

import json
import threading
import time

import sqlalchemy as sa
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector

from restyle.database import Raw, accounts, reading, tasks
from restyle.queue.cluster.fleet import Fleet
from restyle.queue.needs import family_of
from restyle.queue.record import UNFINISHED, Status
from restyle.queue.store import TaskStore

CONTENT_TYPE = CONTENT_TYPE_LATEST

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
TASK_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
SIZES = (0.5, 1, 2, 4, 8)
"""Megapixels of one image, up to which results are counted together."""
SETTLED = 2.0
"""Seconds after which no transaction that ended a task is still under way."""


class Metrics:
    """Counters of one service. What workers and other processes do is read from the database when somebody asks."""

    def __init__(self, db: sa.Engine, store: TaskStore, fleet: Fleet | None = None) -> None:
        self._db = db
        self._store = store
        self._fleet = fleet
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
            "Time that finished tasks took, from the start of work to the last picture, by engine and size.",
            ["engine", "megapixels"],
            buckets=TASK_SECONDS,
            registry=self._registry,
        )
        self._account_tasks = Gauge(
            "restyle_account_tasks", "Unfinished tasks by account.", ["account", "status"], registry=self._registry
        )
        self._queue_seconds = Gauge(
            "restyle_queue_seconds", "How long the oldest queued task has waited.", registry=self._registry
        )
        self._credits = Gauge(
            "restyle_credits", "Credits of all accounts that have a bound.", ["kind"], registry=self._registry
        )
        self._machines = Gauge(
            "restyle_machines", "Machines of the fleet by role and state.", ["role", "state"], registry=self._registry
        )
        self._slots = Gauge("restyle_slots", "Worker processes of the machines that draw.", registry=self._registry)
        ProcessCollector(registry=self._registry)

    def page(self) -> bytes:
        """All values, in the text form that ``CONTENT_TYPE`` names."""
        with self._lock:
            for status, count in self._store.counts().items():
                self._tasks.labels(status.value).set(count)
            self._look()
            self._count_machines()
            self._count_ended()
            return generate_latest(self._registry)

    def _look(self) -> None:
        unfinished = tasks.c.status.in_(UNFINISHED)
        by_account = sa.select(tasks.c.account_id, tasks.c.status, sa.func.count()).where(unfinished)
        oldest = sa.select(sa.func.min(tasks.c.created)).where(tasks.c.status == Status.QUEUING)
        bound = accounts.c.unlimited.is_(False)
        granted = sa.select(sa.func.sum(accounts.c.total_credits), sa.func.sum(accounts.c.used_credits)).where(bound)
        with reading(self._db) as connection:
            self._account_tasks.clear()
            for account, status, count in connection.execute(by_account.group_by(tasks.c.account_id, tasks.c.status)):
                self._account_tasks.labels(str(account), status).set(count)
            since = connection.execute(oldest).scalar_one()
            self._queue_seconds.set(0 if since is None else max(0.0, time.time() - since))
            total, used = connection.execute(granted).one()
        self._credits.labels("granted").set(total or 0)
        self._credits.labels("used").set(used or 0)

    def _count_machines(self) -> None:
        if self._fleet is None:
            return
        there = self._fleet.membership.others()
        self._machines.clear()
        for each in there:
            self._machines.labels(each.role, "ready" if each.ready else "not ready").inc()
        self._slots.set(sum(each.slots for each in there if each.ready))

    def _count_ended(self) -> None:
        since, until = self._counted_until, time.time() - SETTLED
        spec = sa.cast(tasks.c.spec, Raw).label("spec")
        query = sa.select(tasks.c.error_code, tasks.c.started, tasks.c.finished, tasks.c.needs, spec).where(
            tasks.c.finished > since, tasks.c.finished <= until
        )
        with reading(self._db) as connection:
            for row in connection.execute(query):
                self._ended.labels(str(row.error_code)).inc()
                if row.error_code == 0 and row.started is not None:
                    seconds = self._engine_seconds.labels(family_of(row.needs) or "unknown", _megapixels(row.spec))
                    seconds.observe(row.finished - row.started)
        self._counted_until = max(since, until)


def _megapixels(spec: str) -> str:
    """The size of one image of a stored plan: ``1`` is over half a megapixel, and one at most."""
    try:
        plan = json.loads(spec)
        size = plan["width"] * plan["height"] / 1_000_000
    except (ValueError, KeyError, TypeError):
        return "unknown"
    return next((f"{most:g}" for most in SIZES if size <= most), "more")
