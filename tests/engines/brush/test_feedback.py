"""What a sketch lacks of its reference, and how much of it is made up."""

import numpy as np
import pytest

from restyle.engines.brush.feedback import missed, sketch_size

LAYER = {"1_1": (np.array([1.0, 2.0], np.float32), np.array([0.5, 1.0], np.float32))}


def scaled(factor: float) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    return {name: (mean, deviation * np.float32(factor)) for name, (mean, deviation) in LAYER.items()}


def test_what_is_there_is_not_asked_for_again() -> None:
    factor, shift = missed(LAYER, LAYER)["1_1"]
    assert np.array_equal(factor, [1, 1])
    assert np.array_equal(shift, [0, 0])


@pytest.mark.parametrize(("drawn", "asked"), [(0.64, 1.25), (1.44, 1 / 1.2), (0.01, 2**0.5), (100, 0.5**0.5)])
def test_half_of_what_is_missed_is_made_up_within_bounds(drawn: float, asked: float) -> None:
    assert missed(scaled(drawn), LAYER)["1_1"][0] == pytest.approx([asked, asked])


def test_means_go_half_the_way() -> None:
    mean, deviation = LAYER["1_1"]
    assert missed({"1_1": (mean + 1, deviation)}, LAYER)["1_1"][1] == pytest.approx([-0.5, -0.5])


@pytest.mark.parametrize(("base", "sketch"), [((512, 512), (256, 256)), ((700, 370), (352, 184)), ((64, 20), (32, 32))])
def test_a_sketch_is_half_as_large_in_whole_places(base: tuple[int, int], sketch: tuple[int, int]) -> None:
    assert sketch_size(*base) == sketch
