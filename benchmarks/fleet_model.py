"""A model of a fleet: arrivals in bursts, checkpoints, workers, one database that all transactions share, and cores
that all of its programs share where they run on one machine.

A discrete-event simulation. Tasks arrive, wait, are claimed by a free worker by the rules of
:mod:`restyle.queue.cluster.claims` (the oldest first; a task whose checkpoint another worker has loaded waits for it
``affinity_seconds`` at most), load a checkpoint where it is not loaded, and are drawn. The database is ``lanes``
servers of transactions that take ``transaction_seconds`` each; what it cannot take in time delays claims. So do
``cores`` that cannot take in time the ``processor_seconds`` of a task, those of all programs together.
"""

import heapq
import random
from collections import deque
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Shape:
    """A fleet and its load. Times are in seconds.

    ``burst`` is how many tasks arrive together on the average, ``checkpoints`` how many there are, asked for by Zipf's
    law with exponent ``skew``; 0 are tasks of an engine that needs none, which any worker draws at once.
    ``transactions`` are a task's own, without a machine's ``beats`` per second. ``steady`` arrivals keep equal
    distances, as those of one client that waits for each answer. ``claim_seconds`` is what lies between a worker that
    is free, with a task that is there, and its claim; ``draw_seconds`` between claim and end. Without ``cores`` every
    machine has what it needs.
    """

    workers: int
    tasks_per_second: float
    draw_seconds: float
    tasks: int = 20_000
    burst: float = 1.0
    checkpoints: int = 0
    skew: float = 1.0
    load_seconds: float = 0.0
    spread: float = 0.25
    transactions: float = 10.0
    beats: float = 2.0
    transaction_seconds: float = 0.002
    lanes: int = 8
    affinity_seconds: float = 5.0
    claim_seconds: float = 0.01
    steady: bool = False
    cores: float = 0.0
    processor_seconds: float = 0.0
    seed: int = 1


@dataclass(slots=True)
class Outcome:
    """``seconds`` from the first arrival to the last end; ``waits`` from arrival to the start of drawing."""

    seconds: float
    waits: list[float] = field(repr=False)
    busy: float = 0.0
    loads: int = 0
    transactions_per_second: float = 0.0
    database: float = 0.0

    @property
    def throughput(self) -> float:
        """Tasks a second."""
        return len(self.waits) / self.seconds

    def wait(self, quantile: float) -> float:
        """The wait that this share of tasks stays below."""
        return sorted(self.waits)[min(len(self.waits) - 1, int(quantile * len(self.waits)))]


def simulate(shape: Shape) -> Outcome:
    """Run the tasks of ``shape`` to their end."""
    dice = random.Random(shape.seed)
    weights = [1 / (rank + 1) ** shape.skew for rank in range(max(1, shape.checkpoints))]
    arrivals = _arrivals(shape, dice, weights)
    capacity = shape.lanes / shape.transaction_seconds
    beats = shape.workers * shape.beats
    loaded: list[int] = [-1 if shape.checkpoints else 0] * shape.workers
    holders: dict[int, int] = {}
    idle = set(range(shape.workers))
    waiting: dict[int, deque[float]] = {}
    ends: list[tuple[float, int]] = []
    database_free = processor_free = 0.0
    waits: list[float] = []
    now = last = busy = 0.0
    loads = 0
    arrived = 0

    def pick(worker: int) -> int | None:
        """The checkpoint whose oldest task this worker takes: of all the oldest that is not kept for others."""
        best: tuple[float, int] | None = None
        for checkpoint, queue in waiting.items():
            if not queue:
                continue
            mine = loaded[worker] == checkpoint
            kept = not mine and holders.get(checkpoint, 0) > 0 and now - queue[0] < shape.affinity_seconds
            if not kept and (best is None or queue[0] < best[0]):
                best = (queue[0], checkpoint)
        return None if best is None else best[1]

    def serve() -> None:
        nonlocal database_free, processor_free, busy, loads, last
        for worker in sorted(idle, key=lambda each: not waiting.get(loaded[each])):
            checkpoint = pick(worker)
            if checkpoint is None:
                continue
            since = waiting[checkpoint].popleft()
            cost = shape.transactions * shape.transaction_seconds / shape.lanes / max(0.05, 1 - beats / capacity)
            database_free = max(database_free, now) + cost
            start = max(now + shape.claim_seconds, database_free, processor_free)
            if shape.cores:  # its own part lies in claim and drawing; whoever comes next waits for what is left of it
                processor_free = max(processor_free, now) + shape.processor_seconds / shape.cores
            load = 0.0
            if loaded[worker] != checkpoint:
                load = shape.load_seconds
                loads += 1
                holders[loaded[worker]] = holders.get(loaded[worker], 0) - 1
                holders[checkpoint] = holders.get(checkpoint, 0) + 1
                loaded[worker] = checkpoint
            waits.append(start + load - since)
            draw = shape.draw_seconds * dice.lognormvariate(-(shape.spread**2) / 2, shape.spread)
            end = start + load + draw
            busy += end - now
            last = max(last, end)
            idle.discard(worker)
            heapq.heappush(ends, (end, worker))

    while arrived < len(arrivals) or ends or any(waiting.values()):
        moments = [arrivals[arrived][0]] if arrived < len(arrivals) else []
        moments += [ends[0][0]] if ends else []
        if idle and any(waiting.values()):  # somebody waits for its checkpoint: until when?
            moments.append(min(queue[0] for queue in waiting.values() if queue) + shape.affinity_seconds + 1e-6)
        later = [moment for moment in moments if moment > now]
        now = min(later) if later else now + 1e-3
        while arrived < len(arrivals) and arrivals[arrived][0] <= now:
            at, checkpoint = arrivals[arrived]
            waiting.setdefault(checkpoint, deque()).append(at)
            arrived += 1
        while ends and ends[0][0] <= now:
            idle.add(heapq.heappop(ends)[1])
        if idle:
            serve()
    seconds = last - arrivals[0][0]
    rate = len(waits) * shape.transactions / seconds + beats
    return Outcome(seconds, waits, busy / seconds / shape.workers, loads, rate, rate / capacity)


def _arrivals(shape: Shape, dice: random.Random, weights: list[float]) -> list[tuple[float, int]]:
    """Moments and checkpoints of all tasks; the tasks of a burst are of one client, and so of one checkpoint."""
    found: list[tuple[float, int]] = []
    now = 0.0
    while len(found) < shape.tasks:
        if shape.tasks_per_second:
            apart = shape.burst / shape.tasks_per_second
            now += apart if shape.steady else dice.expovariate(1 / apart)
        size = 1
        while shape.burst > 1 and dice.random() > 1 / shape.burst:
            size += 1
        checkpoint = dice.choices(range(len(weights)), weights)[0]
        found += [(now, checkpoint)] * size
    return found[: shape.tasks]
