"""Timing on a machine that others use too: contenders take turns, so that a disturbance meets all of them."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Times:
    """Wall-clock seconds of repeated runs of one thing."""

    seconds: tuple[float, ...]

    @property
    def best(self) -> float:
        """The least disturbed run: what ratios and bars are made of."""
        return min(self.seconds)

    @property
    def median(self) -> float:
        """The usual run."""
        return median(self.seconds)

    def __str__(self) -> str:
        return f"{_seconds(self.best)} ({_seconds(self.median)})"


def take_turns(contenders: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, Times]:
    """Run every contender once to warm up, then ``rounds`` times in turn."""
    found: dict[str, list[float]] = {name: [] for name in contenders}
    for run in contenders.values():
        run()
    for _ in range(rounds):
        for name, run in contenders.items():
            found[name].append(seconds(run))
    return {name: Times(tuple(values)) for name, values in found.items()}


def seconds(run: Callable[[], object]) -> float:
    """How long one call takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _seconds(value: float) -> str:
    return f"{value * 1000:.1f} ms" if value < 1 else f"{value:.2f} s"
