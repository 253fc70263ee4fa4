"""``python -m benchmarks.fleet``: a small fleet measured here, beside one service alone and beside the model of it.

One API and three machines with one worker each, and a service alone with three workers, are given the same tasks in
turn: some whose engine takes half a second and computes nothing, so that what surrounds it is all there is, and some of
the shipped engine. What is told are counts, processor time, and ratios of one run; then the model's answer for large
fleets.
"""

import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.fleet_model import Shape, simulate
from benchmarks.fleet_side import WORKERS, Round, Side, Step, drawn, sides, waiting
from benchmarks.report import machine, table
from restyle.engines.processor import cores

ROUNDS, TASKS, SECONDS = 3, 60, 0.5
SINGLES = 8
DRAWN, SIDE = 9, 512
REST_SECONDS = 10.0
LARGE = (
    Shape(10, 20_000 / 86_400, 20, tasks=4000, burst=5, checkpoints=20, load_seconds=10),
    Shape(100, 200_000 / 86_400, 20, tasks=4000, burst=5, checkpoints=20, load_seconds=10),
    Shape(1000, 1_000_000 / 86_400, 50, tasks=8000, burst=5, checkpoints=20, load_seconds=10),
    Shape(1000, 2_000_000 / 86_400, 30, tasks=8000, burst=50, checkpoints=200, load_seconds=10),
)


@dataclass(slots=True)
class Found:
    """What a side did: its rounds by kind of task, the uids of its single tasks, and what it uses at rest, by part in
    seconds of processor time a second."""

    side: Side
    rest: dict[str, float]
    waiting: list[Round]
    drawn: list[Round]
    singles: list[str]

    def cost(self, rounds: Sequence[Round]) -> dict[str, float]:
        """Seconds of processor time of a task by part, besides what is used at rest."""
        parts = sorted({part for each in rounds for part in each.usage})
        tasks, whole = sum(each.tasks for each in rounds), sum(each.whole for each in rounds)
        spent = {part: sum(each.usage.get(part, 0.0) for each in rounds) for part in parts}
        return {part: max(0.0, spent[part] - self.rest.get(part, 0.0) * whole) / tasks for part in parts}

    def per_core(self, rounds: Sequence[Round]) -> float:
        """Tasks a second that one core can take, of as many as there are, when all are busy."""
        return (1 - sum(self.rest.values()) / cores()) / sum(self.cost(rounds).values())


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="restyle-bench-"))
    try:
        with sides(folder) as both:
            measure(*both)
    finally:
        shutil.rmtree(folder)


def measure(alone: Side, fleet: Side) -> None:
    """Everything, the sides in turn, and tell it."""
    task, picture = waiting(SECONDS), drawn(SIDE)
    for side in (alone, fleet):
        side.round(2 * WORKERS, **waiting(0.05))
        side.round(2 * WORKERS, **picture)
    found = [Found(side, side.rest(REST_SECONDS), [], [], []) for side in (alone, fleet)]
    beats = _transactions(fleet, REST_SECONDS)
    for number in range(ROUNDS):
        for each in found if number % 2 else reversed(found):
            each.waiting.append(each.side.round(TASKS, **task))
            each.drawn.append(each.side.round(DRAWN, **picture))
            each.singles += each.side.singles(SINGLES, **waiting(0))
            last = each.waiting[-1], each.drawn[-1]
            print(number, each.side.name, *(f"{found.seconds:.1f} s" for found in last), file=sys.stderr, flush=True)
    transactions = _transactions_of_a_task(fleet, beats, task)
    one, many = found
    print(machine())
    print()
    print(_costs(one, many))
    ratios = [a.seconds / b.seconds for a, b in zip(one.waiting, many.waiting, strict=True)]
    bare, light = (
        many.per_core(getattr(many, kind)) / one.per_core(getattr(one, kind)) for kind in ("waiting", "drawn")
    )
    taken = many.cost(many.waiting)["PostgreSQL"] / transactions
    singly = [each.side.delay(each.singles) * 1000 for each in found]
    print(
        f"Throughput of the fleet beside one service alone, {WORKERS} workers each, half a second a task: median "
        f"{statistics.median(ratios):.2f} of {', '.join(f'{ratio:.2f}' for ratio in sorted(ratios))}"
    )
    print(
        f"Throughput per core by processor time, beside one service alone: the shipped engine at {SIDE} {light:.2f}, "
        f"without an engine {bare:.2f}"
    )
    print(f"Accepted to started, idle, median: {singly[1]:.0f} ms (alone {singly[0]:.0f} ms)")
    print(
        f"Transactions of a task: {transactions:.1f}, those that only read among them, besides polling, of "
        f"{taken * 1000:.2f} ms of a core each; of a machine at rest {beats / (WORKERS + 1):.1f} a second"
    )
    print(
        "The model's time of the run beside the measured one: "
        + ", ".join(f"{_modelled(many, each, transactions, beats):.2f}" for each in many.waiting)
    )
    print()
    print(_large(transactions, beats, taken))


def _transactions(fleet: Side, seconds: float) -> float:
    """Of the database a second, while nothing is asked."""
    before, at = fleet.committed(), time.monotonic()
    time.sleep(seconds)
    return (fleet.committed() - before) / (time.monotonic() - at)


def _transactions_of_a_task(fleet: Side, beats: float, task: dict[str, Any]) -> float:
    """In a round during which nobody asks how tasks stand."""
    before, at = fleet.committed(), time.monotonic()
    uids = [str(fleet.api.post("ApplyReferenceStyle", **task)["TaskUID"]) for _ in range(TASKS)]
    time.sleep(1.5 * TASKS * SECONDS / WORKERS)
    spent = fleet.committed() - before - beats * (time.monotonic() - at)
    fleet.wait(uids)
    return spent / TASKS


def _modelled(found: Found, measured: Round, transactions: float, beats: float) -> float:
    """The model's time of a round, beside the measured one. Its inputs are the steps of that round."""
    steps = found.side.steps(measured.uids)
    cost = found.cost([measured])
    shape = Shape(
        WORKERS,
        measured.tasks / measured.submitting,
        statistics.mean(step.finished - step.started for step in steps),
        tasks=measured.tasks,
        spread=0.05,
        transactions=transactions,
        transaction_seconds=cost["PostgreSQL"] / transactions,
        claim_seconds=statistics.mean(claims(steps)),
        beats=beats / (WORKERS + 1),
        steady=True,
        cores=cores(),
        processor_seconds=sum(cost.values()),
    )
    return simulate(shape).seconds / measured.seconds


def claims(steps: Sequence[Step]) -> list[float]:
    """Seconds from the moment that a machine was free and a task was there to the claim, of every task."""
    free: dict[int | None, float] = {}
    found = []
    for step in steps:
        found.append(max(0.0, step.started - max(step.created, free.get(step.machine, 0.0))))
        free[step.machine] = step.finished
    return found


def _costs(one: Found, many: Found) -> str:
    rows = []
    for each in (one, many):
        costs = {"half a second": each.cost(each.waiting), f"drawn at {SIDE}": each.cost(each.drawn)}
        rows += [
            _row(each, part, each.rest.get(part, 0.0), [cost.get(part, 0.0) for cost in costs.values()])
            for part in sorted({*each.rest, *(name for cost in costs.values() for name in cost)})
        ]
        rows.append(_row(each, "together", sum(each.rest.values()), [sum(cost.values()) for cost in costs.values()]))
    return table(("", "part", "at rest, ms/s", "half a second, ms a task", f"drawn at {SIDE}, ms a task"), rows)


def _row(found: Found, part: str, rest: float, costs: Sequence[float]) -> list[str]:
    return [found.side.name, part, f"{rest * 1000:.0f}", *(f"{cost * 1000:.1f}" for cost in costs)]


def _large(transactions: float, beats: float, seconds: float) -> str:
    heads = ("workers", "tasks a day", "busy", "loads a task", "wait p50", "p99", "transactions/s", "of the database")
    rows = []
    for shape in LARGE:
        each = beats / (WORKERS + 1)
        outcome = simulate(replace(shape, transactions=transactions, beats=each, transaction_seconds=seconds))
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
    return table(heads, rows)


if __name__ == "__main__":
    main()
