"""Strengths that are equally far apart by what was seen, whatever form the way from one end to the other has."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

FIRST = (0.0, 0.002, 0.008, 0.03, 0.125, 0.25, 0.5, 0.75, 1.0)
"""Strengths that are looked at first: closer towards 0, where the raw image ends and drawing begins."""
FINEST = 0.002
"""Strengths no further apart are not looked between."""
NARROW = 0.02
"""Strengths no further apart have a jump between them, if the picture is another there."""
ROUNDS = 5
BETWEEN = 16
"""Places that are considered between two strengths that were looked at."""
EVEN = 0.1
"""How far a step may be from the mean of the steps, as a part of it."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """From the strength ``start`` to ``end`` the picture goes ``part`` of the whole way, back where it is negative."""

    start: float
    end: float
    part: float


def even(steps: Sequence[float], part: float = EVEN) -> bool:
    """Whether all steps, which together are 1, are within that part of their mean."""
    mean = 1 / len(steps)
    return all(abs(step - mean) <= part * mean for step in steps)


def settled(gone: Callable[[float], float], count: int, report: Callable[[int], None]) -> tuple[float, ...]:
    """``count`` strengths from 0 to 1 that are the most evenly apart of all that were looked at.

    ``gone`` says how much of the whole way is gone at a strength, 0 at 0 and 1 at 1; it may jump, stand and turn back.
    It is asked for at most ``ROUNDS * (count - 2)`` strengths beyond ``FIRST``; ``report`` is told how many so far.
    """
    seen: dict[float, float] = {}
    for strength in FIRST:
        report(len(seen))
        seen[strength] = gone(strength)
    for _ in range(ROUNDS):
        best = most_even(seen, count)
        if even([seen[two] - seen[one] for one, two in pairwise(best)], EVEN / 2):
            break
        likely = [each for each in most_even(_guessed(seen), count) if each not in seen]
        fresh = dict.fromkeys([*likely, *_steepest(seen, count)])
        if not fresh:
            break
        for strength in list(fresh)[: count - 2]:
            report(len(seen))
            seen[strength] = gone(strength)
    return most_even(seen, count)


def most_even(gone: dict[float, float], count: int) -> tuple[float, ...]:
    """Of the strengths in ``gone``, rising from the first to the last, ``count`` whose steps differ least from equal.

    The least sum of squares, by dynamic programming over how many were chosen and which was the last.
    """
    strengths = sorted(gone)
    values = np.array([gone[each] for each in strengths])
    costs = (values[None, :] - values[:, None] - 1 / (count - 1)) ** 2
    costs[np.tril_indices(len(values))] = np.inf  # each is beyond the one before
    best, before = costs[0], []
    for _ in range(count - 2):
        sums = best[:, None] + costs
        before.append(sums.argmin(axis=0))
        best = sums.min(axis=0)
    chosen = [len(values) - 1]
    for choices in reversed(before):
        chosen.append(int(choices[chosen[-1]]))
    return tuple(strengths[each] for each in (0, *reversed(chosen)))


def jumps(gone: dict[float, float], count: int) -> tuple[Stretch, ...]:
    """Where the picture goes on so suddenly, and so far, that steps around it cannot be even."""
    return tuple(
        Stretch(start, end, part)
        for start, end, part in _stretches(gone)
        if end - start <= NARROW and part > 2 * EVEN / (count - 1)
    )


def returns(gone: dict[float, float], count: int) -> tuple[Stretch, ...]:
    """Where the picture comes back by more than a step may be off, from a strength to the farthest back after it."""
    found: list[Stretch] = []
    for start, end, part in _stretches(gone):
        if part >= 0:
            continue
        if found and found[-1].end == start:
            start, part = found[-1].start, found.pop().part + part
        found.append(Stretch(start, end, part))
    return tuple(each for each in found if -each.part > EVEN / (count - 1))


def _stretches(gone: dict[float, float]) -> list[tuple[float, float, float]]:
    strengths = sorted(gone)
    return [(one, two, gone[two] - gone[one]) for one, two in pairwise(strengths)]


def _steepest(seen: dict[float, float], count: int) -> list[float]:
    """The middle of the stretch that hides most; none where no stretch hides as much as a step may be off."""
    hidden = [(part, start, end) for start, end, part in _stretches(seen) if end - start > FINEST]
    part, start, end = max(hidden, default=(0.0, 0.0, 0.0))
    return [round((start + end) / 2, 4)] if part > EVEN / (count - 1) else []


def _guessed(seen: dict[float, float]) -> dict[float, float]:
    """What was seen, and what is likely between."""
    guessed = dict(seen)
    for start, end, part in _stretches(seen):
        if end - start > FINEST:
            for index in range(1, BETWEEN):
                guessed[round(start + (end - start) * index / BETWEEN, 4)] = seen[start] + part * index / BETWEEN
    return guessed | seen
