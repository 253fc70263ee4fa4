"""Equal steps over curves of every kind: steep, flat, turning back, jumping."""

from collections.abc import Callable
from math import tanh

import numpy as np
import pytest

from restyle.conversion.spacing import FIRST, ROUNDS, Stretch, even, jumps, returns, settled

MARKS = 5


def run(curve: Callable[[float], float]) -> tuple[dict[float, float], tuple[float, ...], list[float]]:
    """What was looked at, the spacing that was found, and its steps."""
    seen: dict[float, float] = {}

    def gone(strength: float) -> float:
        seen[strength] = (curve(strength) - curve(0)) / (curve(1) - curve(0))
        return seen[strength]

    spacing = settled(gone, MARKS, lambda done: None)
    assert len(seen) <= len(FIRST) + ROUNDS * (MARKS - 2)
    assert (spacing[0], spacing[-1], len(set(spacing))) == (0, 1, MARKS)
    assert list(spacing) == sorted(spacing)
    return seen, spacing, [float(step) for step in np.diff([seen[each] for each in spacing])]


@pytest.mark.parametrize(
    "curve",
    [
        lambda s: s,
        lambda s: s**4,
        lambda s: s**0.25,
        lambda s: tanh(8 * s),  # done at a third
        lambda s: tanh(40 * s),
        lambda s: 0.15 * (s > 0) + s**0.5,  # a jump below the first mark
        lambda s: s + 0.2 * np.sin(14 * s),  # turns back
        lambda s: min(1.6 * s, 1.4 - 0.4 * s),  # overshoots the end
    ],
)
def test_whatever_has_no_jump_is_evened_out(curve: Callable[[float], float]) -> None:
    _, _, steps = run(curve)
    assert even(steps), steps


def test_a_jump_is_said_and_the_rest_is_evened_out() -> None:
    seen, spacing, steps = run(lambda s: s + 0.67 * (s > 0))
    (jump,) = jumps(seen, MARKS)
    assert (jump.start, jump.end, round(jump.part, 1)) == (0, FIRST[1], 0.4)
    assert spacing[1] == FIRST[1]
    assert steps[0] == jump.part
    assert even([step / sum(steps[1:]) for step in steps[1:]])

    seen, _, steps = run(lambda s: s + (s > 0.6))
    (jump,) = jumps(seen, MARKS)
    assert jump.start <= 0.6 < jump.end
    assert max(steps) == pytest.approx(jump.part, abs=0.06)
    assert not even(steps)


def test_a_way_back_is_said() -> None:
    assert returns({0: 0, 0.2: 0.75, 0.4: 0.5, 0.6: 0.25, 1: 1}, MARKS) == (Stretch(0.2, 0.6, -0.5),)
    assert returns({0: 0, 0.2: 0.5, 0.4: 0.49, 1: 1}, MARKS) == ()
