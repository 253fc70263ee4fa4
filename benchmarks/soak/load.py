"""Mixed traffic at the edge of saturation for a long time, and what it costs everybody."""

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from statistics import median, quantiles

import psutil

from benchmarks.soak.stage import Alone, Fleet
from benchmarks.soak.traffic import Seen, play

IDLE_SECONDS = 60.0
SETTLE_SECONDS = 15.0
"""How long a service is left alone before it counts as idle: tasks of the load before end by themselves."""
PREPARE_SECONDS = 60.0
"""How long clients have to start and to make their pictures before all begin."""
LOOK_SECONDS = 5.0
CAST = ("submit", "submit", "submit", "poll", "poll", "browse", "misbehave", "stand still")
TIMES_IDLE = 5.0
GROWTH = 1.1
"""How much more the last quarter may take than the second one: memory that grows, grows on."""


@dataclass(slots=True)
class Load:
    """Figures of one long load. Seconds of polls are the median and the 99th percentile."""

    stage: str
    seed: int
    minutes: float
    idle: tuple[float, float] = (0, 0)
    busy: tuple[float, float] = (0, 0)
    codes: dict[str, Counter[int]] = field(default_factory=dict)
    gigabytes: float = 0.0
    memory: tuple[float, float] = (0, 0)
    handles: tuple[float, float] = (0, 0)
    wrong: list[str] = field(default_factory=list)

    @property
    def well(self) -> bool:
        """Whether all bars are met."""
        flat = self.memory[1] <= GROWTH * self.memory[0] and self.handles[1] <= GROWTH * self.handles[0] + 8
        return not self.wrong and flat and self.busy[1] < TIMES_IDLE * self.idle[1]


def load(stage: Alone | Fleet, minutes: float, seed: int, say: Callable[[str], None]) -> Load:
    """Everything for so many minutes, and polls alone for a while before and after: others use the machine, too."""
    found = Load(stage.name, seed, minutes)
    pair = stage.account(unlimited=True)
    addresses = stage.addresses
    with ProcessPoolExecutor(len(CAST), get_context("spawn"), max_tasks_per_child=1) as pool:

        def begin(number: int, role: str, since: float, seconds: float) -> Future[Seen]:
            address = addresses[number % len(addresses)]
            return pool.submit(play, role, address, pair, seed + number, since, since + seconds)

        def alone() -> list[float]:
            seconds = begin(0, "poll", time.time() + SETTLE_SECONDS, IDLE_SECONDS).result().seconds
            middle, edge = _middle_and_edge(seconds)
            say(f"polls of an idle service: median {middle * 1000:.1f} ms, 99 % {edge * 1000:.1f} ms")
            return seconds

        idle = alone()
        since = time.time() + PREPARE_SECONDS
        plays = [begin(number, role, since, 60 * minutes) for number, role in enumerate(CAST)]
        time.sleep(PREPARE_SECONDS)
        looks: list[tuple[int, int]] = []
        told = time.monotonic()
        while not all(each.done() for each in plays):
            time.sleep(LOOK_SECONDS)
            looks.append(_held(stage))
            if time.monotonic() - told > 60:
                told = time.monotonic()
                say(f"{looks[-1][0] / 2**20:.0f} MiB, {looks[-1][1]} handles")
        seen = [each.result() for each in plays]
        found.idle = _middle_and_edge(idle + alone())
    polls: list[float] = []
    for role, each in zip(CAST, seen, strict=True):
        found.codes.setdefault(role, Counter()).update(each.codes)
        found.wrong += [f"{role}: {text}" for text in each.wrong]
        found.gigabytes += each.bytes / 1e9
        if role == "poll":
            polls += each.seconds
    found.busy = _middle_and_edge(polls)
    quarter = max(1, len(looks) // 4)
    early, late = looks[quarter : 2 * quarter] or looks, looks[-quarter:]
    found.memory = (median(m for m, _ in early), median(m for m, _ in late))
    found.handles = (median(h for _, h in early), median(h for _, h in late))
    return found


def _held(stage: Alone | Fleet) -> tuple[int, int]:
    """Bytes of memory and open handles of all processes of the stage's machines together."""
    memory = handles = 0
    for machine in stage.machines:
        with suppress(psutil.NoSuchProcess):
            service = psutil.Process(machine.process.pid)
            for process in (service, *service.children(recursive=True)):
                with suppress(psutil.NoSuchProcess):
                    memory += process.memory_info().rss
                    handles += process.num_fds()
    return memory, handles


def _middle_and_edge(seconds: list[float]) -> tuple[float, float]:
    cuts = quantiles(seconds, n=100)
    return cuts[49], cuts[98]
