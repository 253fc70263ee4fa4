"""One service alone and a small fleet on this machine, given the same tasks and measured in the same way."""

import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks.speed import noise
from benchmarks.usage import less, used
from restyle.conversion.models import MainModel
from restyle.conversion.registry import Registry
from restyle.database import open_database, reading, tasks
from restyle.images.encode import encode_png
from restyle.settings import Settings
from tests.support.databases import PostgresServer, postgres_database
from tests.support.engines import OBEDIENT, OBEDIENT_FAMILY
from tests.support.fleet import BUCKET, SeaweedServer, free_port, s3_environment, town
from tests.support.mortal import MortalService

WORKERS = 3
POLL_SECONDS = 0.25
"""How often a client asks whether its tasks have ended, of both sides alike."""
PAUSE_SECONDS = 1.0
"""After a round, for what follows the end of a task: its inputs are deleted, and jobs taken away."""


def registry(settings: Settings) -> Registry:
    """The shipped models with their engine, and the one that does as it is told."""
    return Registry(settings, main=[MainModel(OBEDIENT, OBEDIENT, OBEDIENT_FAMILY, is_official=True)])


@dataclass(frozen=True, slots=True)
class Round:
    """``tasks`` tasks given at once: seconds from the first submission to the last end, those of the submissions, and
    seconds of processor time by part over ``whole`` seconds."""

    tasks: int
    seconds: float
    submitting: float
    whole: float
    usage: dict[str, float]
    uids: list[str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Step:
    """When a task was accepted, claimed and ended, and by whom."""

    machine: int | None
    created: float
    started: float
    finished: float


class Side:
    """A service that is asked through ``api``; ``roots`` are all of its programs, with what each is."""

    def __init__(self, name: str, api: MortalService, roots: dict[int, str]) -> None:
        self.name = name
        self.api = api
        self.roots = roots

    def usage(self) -> dict[str, float]:
        """Seconds of processor time by part so far."""
        return used(self.roots)

    def rest(self, seconds: float) -> dict[str, float]:
        """Seconds of processor time a second, by part, while nothing is asked."""
        before, at = self.usage(), time.monotonic()
        time.sleep(seconds)
        passed = time.monotonic() - at
        return {part: spent / passed for part, spent in less(self.usage(), before).items()}

    def round(self, count: int, **fields: Any) -> Round:
        """Give ``count`` tasks at once and wait until all have ended."""
        before, began = self.usage(), time.monotonic()
        uids = [str(self.api.post("ApplyReferenceStyle", **fields)["TaskUID"]) for _ in range(count)]
        submitting = time.monotonic() - began
        self.wait(uids)
        seconds = time.monotonic() - began
        time.sleep(PAUSE_SECONDS)
        return Round(count, seconds, submitting, time.monotonic() - began, less(self.usage(), before), uids)

    def singles(self, count: int, **fields: Any) -> list[str]:
        """Give ``count`` tasks, each while nothing else is to be done."""
        uids = []
        for _ in range(count):
            uids.append(str(self.api.post("ApplyReferenceStyle", **fields)["TaskUID"]))
            time.sleep(POLL_SECONDS)
            self.wait(uids[-1:])
        return uids

    def wait(self, uids: Sequence[str]) -> None:
        """Until all have ended, which must be well."""
        left = list(uids)
        while left:
            details = self.api.details(left)
            assert all(task["Status"] != "Error" for task in details), details
            left = [task["TaskUID"] for task in details if task["Status"] != "Finished"]
            if left:
                time.sleep(POLL_SECONDS)

    def steps(self, uids: Sequence[str]) -> list[Step]:
        """What the records say of these tasks, in the order of their claims."""
        db = open_database(self.api.database_url)
        query = sa.select(tasks.c.machine, tasks.c.created, tasks.c.started, tasks.c.finished)
        with reading(db) as connection:
            rows = connection.execute(query.where(tasks.c.uid.in_(uids)).order_by(tasks.c.started)).all()
        db.dispose()
        return [Step(*row) for row in rows]

    def delay(self, uids: Sequence[str]) -> float:
        """The median of seconds from accepted to started."""
        return statistics.median(step.started - step.created for step in self.steps(uids))

    def committed(self) -> int:
        """Transactions of PostgreSQL so far, those that only read among them."""
        db = open_database(self.api.database_url)
        count = sa.text("SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()")
        time.sleep(2)  # sessions tell their counts a second late
        with reading(db) as connection:
            found: int = connection.execute(count).scalar_one()
        db.dispose()
        return found

    def polls(self) -> int:
        """How often clients asked for the state of tasks."""
        return sum('"ListTasksDetails"' in line for line in self.api.log.read_text().splitlines())


def waiting(seconds: float) -> dict[str, Any]:
    """A task whose engine takes so long and computes nothing."""
    return MortalService.task(f"draw {seconds}")


def drawn(side: int) -> dict[str, Any]:
    """A task of the shipped engine, of that many pixels each way."""
    import base64

    pictures = [base64.b64encode(encode_png(noise(side, seed=seed))).decode() for seed in (0, 1)]
    code = next(iter(Registry(Settings()).mains))
    return MortalService.task("a painting") | {
        "MainModel": {"ModelCode": code},
        "ImageList": pictures,
        "Width": side,
        "Height": side,
    }


@contextmanager
def sides(folder: Path) -> Iterator[tuple[Side, Side]]:
    """One service alone with as many workers as the fleet has machines with one, both ready; gone afterwards."""
    here = f"{__name__}:registry"
    same = {"registry": here, "threads": 1}
    folder.chmod(0o755)
    (folder / "postgresql").mkdir()
    postgres, store = PostgresServer(folder / "postgresql"), SeaweedServer(folder / "store")
    with s3_environment(store.address):
        postgres.start()
        try:
            store.start()
            with (
                postgres_database(postgres.url) as url,
                town(folder / "machines", url, f"s3://{BUCKET}", workers=1, machine_seconds=30, **same) as fleet,
            ):
                api = fleet.add("api", wait=False)
                for _ in range(WORKERS):
                    fleet.add("worker", wait=False)
                alone = MortalService(folder / "alone", free_port(), workers=WORKERS, **same)
                try:
                    alone.start()
                    for each in fleet.members:
                        each.wait_until_ready()
                    roots = {postgres.pid: "PostgreSQL", store.pid: "the store", api.process.pid: "the service"}
                    roots |= {each.process.pid: "worker machines" for each in fleet.workers}
                    yield Side("alone", alone, {alone.process.pid: "the service"}), Side("fleet", api, roots)
                finally:
                    alone.close()
        finally:
            store.kill()
            postgres.stop()
