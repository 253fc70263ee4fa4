"""``python -m benchmarks.fleet``: a small fleet measured here, beside one service alone and beside the model of it.

One API and three workers, and a service alone with three workers, draw the same tasks, whose engine takes a known time
(it sleeps). What is told are ratios of one run, and counts; then the model's answer for large fleets with what was
counted here.
"""

import shutil
import statistics
import tempfile
import time
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import sqlalchemy as sa

from benchmarks.fleet_model import Shape, simulate
from benchmarks.report import table
from restyle.database import open_database, reading, tasks
from tests.support.databases import postgres_cluster, postgres_database
from tests.support.fleet import Member, free_port, object_store, town
from tests.support.mortal import MortalService

WORKERS, TASKS, DRAW_SECONDS, IDLE_TASKS = 3, 60, 0.5, 20
LARGE = (
    Shape(10, 20_000 / 86_400, 20, tasks=4000, burst=5, checkpoints=20, load_seconds=10),
    Shape(100, 200_000 / 86_400, 20, tasks=4000, burst=5, checkpoints=20, load_seconds=10),
    Shape(1000, 1_000_000 / 86_400, 50, tasks=8000, burst=5, checkpoints=20, load_seconds=10),
    Shape(1000, 2_000_000 / 86_400, 30, tasks=8000, burst=50, checkpoints=200, load_seconds=10),
)


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds from the first submission to the last end, those of a run, those between two runs of one machine, the
    median from accepted to started, and those of a submission."""

    seconds: float
    run: float
    gap: float
    idle: float
    submit: float


def measure(api: MortalService) -> Measured:
    """Draw tasks one by one while nothing else is asked, then all at once."""
    singles = []
    for _ in range(IDLE_TASKS):
        singles += [api.submit()]
        api.wait(singles[-1:])
    began = time.monotonic()
    uids = [api.submit(f"draw {DRAW_SECONDS}") for _ in range(TASKS)]
    submitted = time.monotonic() - began
    api.wait(uids)
    seconds = time.monotonic() - began
    db = open_database(api.database_url)
    times = sa.select(tasks.c.uid, tasks.c.created, tasks.c.started, tasks.c.finished, tasks.c.machine)
    with reading(db) as connection:
        rows = {row.uid: row for row in connection.execute(times)}
    db.dispose()
    idle = statistics.median(rows[uid].started - rows[uid].created for uid in singles)
    run = statistics.mean(rows[uid].finished - rows[uid].started for uid in uids)
    gaps = []
    for machine in {rows[uid].machine for uid in uids}:
        mine = sorted((rows[uid] for uid in uids if rows[uid].machine == machine), key=lambda row: float(row.started))
        gaps += [later.started - earlier.finished for earlier, later in pairwise(mine)]
    return Measured(seconds, run, statistics.mean(gaps), idle, submitted / TASKS)


def committed(url: str) -> int:
    """Transactions of the database so far."""
    db = open_database(url)
    count = sa.text("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()")
    time.sleep(2)  # sessions tell their counts a second late
    with reading(db) as connection:
        found: int = connection.execute(count).scalar_one()
    db.dispose()
    return found


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="restyle-bench-"))
    with (
        postgres_cluster() as cluster,
        postgres_database(cluster) as url,
        object_store() as bucket,
        town(folder, url, bucket, workers=1, machine_seconds=30) as fleet,
    ):
        api = fleet.add("api", wait=False)
        for _ in range(WORKERS):
            fleet.add("worker", wait=False)
        for each in fleet.members:
            each.wait_until_ready()
        rest, at = committed(url), time.monotonic()
        time.sleep(10)
        beats = (committed(url) - rest) / (time.monotonic() - at)
        before, at = committed(url), time.monotonic()
        of_fleet = measure(api)
        polls = _polls(api)
        own = committed(url) - before - beats * (time.monotonic() - at) - 2 * polls
    alone = MortalService(folder / "alone", free_port(), workers=WORKERS)
    try:
        alone.start()
        of_alone = measure(alone)
    finally:
        alone.close()
        shutil.rmtree(folder)
    transactions = own / (TASKS + IDLE_TASKS)
    small = Shape(
        WORKERS,
        1 / of_fleet.submit,
        of_fleet.run,
        tasks=TASKS,
        spread=0.05,
        transactions=transactions,
        claim_seconds=max(0.0, of_fleet.gap),
        beats=beats / (WORKERS + 1),
    )
    told = simulate(small)
    print(f"Throughput of the fleet beside one service alone: {of_alone.seconds / of_fleet.seconds:.2f}")
    print(f"Accepted to started, idle, median: {of_fleet.idle * 1000:.0f} ms (alone {of_alone.idle * 1000:.0f} ms)")
    print(f"Transactions of a task: {transactions:.1f}, besides polling; of a machine at rest {beats / 4:.1f} a second")
    print(f"The model's time of the run beside the measured one: {told.seconds / of_fleet.seconds:.2f}")
    print()
    heads = ("workers", "tasks a day", "busy", "loads a task", "wait p50", "p99", "transactions/s", "of the database")
    rows = []
    for shape in LARGE:
        outcome = simulate(replace(shape, transactions=transactions, beats=beats / 4))
        rows.append(
            (
                f"{shape.workers}",
                f"{shape.tasks_per_second * 86_400:.0f}",
                f"{outcome.busy:.0%}",
                f"{outcome.loads / shape.tasks:.2f}",
                f"{outcome.wait(0.5):.1f} s",
                f"{outcome.wait(0.99):.0f} s",
                f"{outcome.transactions_per_second:.0f}",
                f"{outcome.database:.0%}",
            )
        )
    print(table(heads, rows))


def _polls(api: Member) -> int:
    """How often clients asked for the state of tasks: each asks for its key, and for the tasks."""
    return sum('"ListTasksDetails"' in line for line in api.log.read_text().splitlines())


if __name__ == "__main__":
    main()
