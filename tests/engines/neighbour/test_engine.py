"""What the neighbour promises of its pictures, on real photographs.

What does not depend on what the network has learned is shown with a small network of random weights.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from restyle.engines.base import File, Inference, Job, Style
from restyle.engines.neighbour.engine import Neighbour
from restyle.images.pixels import Pixels
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError
from tests.support.photographs import photograph

Convert = Callable[..., list[Pixels]]


def job(
    file: File,
    raw: Pixels,
    style: Pixels,
    strength: float = 1.0,
    *seeds: int,
    steps: int = 6,
    preserve_color: bool = False,
) -> Job:
    inference = Inference(steps=steps)
    return Job(raw, (Style(style),), strength, seeds or (0,), preserve_color, inference=inference, files=(file,))


def converter(neighbour: Neighbour, file: File) -> Convert:
    def call(*what: Any, **how: Any) -> list[Pixels]:
        return list(neighbour.convert(job(file, *what, **how), lambda fraction: None))

    return call


@pytest.fixture(scope="module")
def convert(neighbour: Neighbour, few_channels: File) -> Convert:
    """With the small network."""
    return converter(neighbour, few_channels)


@pytest.fixture(scope="module")
def learned(neighbour: Neighbour, weights: File) -> Convert:
    """With the real weights."""
    return converter(neighbour, weights)


@pytest.fixture(scope="module")
def whole(learned: Convert) -> Pixels:
    """The cat in the cup's style, with the real weights at full strength."""
    return learned(CAT, STYLE)[0]


@dataclass(frozen=True)
class Batch:
    """The cat in the cup's style by the small network and the seeds 1 and 2, and what was told of their progress."""

    pictures: list[Pixels]
    told: list[float]


STEPS = 8


@pytest.fixture(scope="module")
def batch(neighbour: Neighbour, few_channels: File) -> Batch:
    told: list[float] = []
    return Batch(list(neighbour.convert(job(few_channels, CAT, STYLE, 1.0, 1, 2, steps=STEPS), told.append)), told)


CAT = photograph("chelsea", 80, 64)
STYLE = photograph("coffee", 96, 72)


def far(first: Pixels, second: Pixels) -> float:
    return float(np.abs(first.astype(float) - second).mean())


@pytest.mark.parametrize(("width", "height"), [(64, 64), (65, 200), (131, 67)])
def test_results_have_the_exact_size(convert: Convert, width: int, height: int) -> None:
    assert convert(photograph("chelsea", width, height), STYLE)[0].shape == (height, width, 3)


def test_strength_zero_is_the_raw_image(convert: Convert) -> None:
    assert np.array_equal(convert(CAT, STYLE, 0.0)[0], CAT)


def test_distance_to_the_raw_image_grows_steadily_from_nothing(learned: Convert, whole: Pixels) -> None:
    drawn = [*(learned(CAT, STYLE, strength)[0] for strength in (0.01, 0.5)), whole]
    distances = [far(picture, CAT) for picture in drawn]
    assert distances[0] < 2
    assert distances == sorted(distances)
    assert distances[-1] > 10


def test_the_same_job_gives_the_same_bytes_whatever_was_drawn_before(convert: Convert) -> None:
    first = convert(CAT, STYLE, 0.8, 3)[0]
    convert(STYLE, CAT, 1.0, 4)
    assert np.array_equal(convert(CAT, STYLE, 0.8, 3)[0], first)


def test_image_of_a_batch_equals_a_request_with_its_seed(convert: Convert, batch: Batch) -> None:
    for drawn, seed in zip(batch.pictures, (1, 2), strict=True):
        assert np.array_equal(drawn, convert(CAT, STYLE, 1.0, seed, steps=STEPS)[0])


def test_seeds_differ(batch: Batch) -> None:
    assert far(*batch.pictures) > 1


def test_more_steps_give_another_picture_and_stand_in_its_description(
    convert: Convert, batch: Batch, neighbour: Neighbour, few_channels: File
) -> None:
    assert far(batch.pictures[0], convert(CAT, STYLE, 1.0, 1, steps=20)[0]) > 1
    assert neighbour.describe(job(few_channels, CAT, STYLE, steps=20)).parameters == {"Steps": 20}


def test_the_result_has_the_colours_of_the_reference(whole: Pixels) -> None:
    drawn = whole.reshape(-1, 3)
    wanted = STYLE.reshape(-1, 3)
    assert np.abs(drawn.mean(0) - wanted.mean(0)).max() < 12
    assert np.abs(drawn.std(0) - wanted.std(0)).max() < 15


def test_colours_can_be_kept(learned: Convert) -> None:
    blue = STYLE[..., ::-1].copy()
    kept = learned(CAT, blue, preserve_color=True)[0].astype(float)
    for opponent in (np.array([1, -1, 0]), np.array([-0.5, -0.5, 1])):
        assert np.abs((kept - CAT) @ opponent).mean() < 6
    assert far(kept.astype(np.uint8), CAT) > 3


def test_the_whole_reference_counts(learned: Convert) -> None:
    """Two wide references alike in the middle square give different pictures."""
    wide = np.full((64, 256, 3), 128, np.uint8)
    red, blue = wide.copy(), wide.copy()
    red[:, :64] = red[:, 192:] = (200, 30, 20)
    blue[:, :64] = blue[:, 192:] = (20, 40, 200)
    first, second = (learned(CAT, style)[0].reshape(-1, 3).mean(0) for style in (red, blue))
    assert first[0] > second[0]
    assert first[2] < second[2]


def test_flat_pictures_are_drawn(learned: Convert) -> None:
    flat = np.full((64, 64, 3), 90, np.uint8)
    grey = learned(flat, np.full((64, 64, 3), 200, np.uint8))[0]
    assert np.abs(grey.astype(float) - 200).mean() < 12


def test_progress_rises_to_one_and_can_stop_the_job_at_every_update(
    neighbour: Neighbour, few_channels: File, batch: Batch
) -> None:
    seen = batch.told
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert len(seen) > 2 * STEPS
    assert max(np.diff(seen)) < 0.1

    class StoppedError(Exception):
        pass

    calls: list[float] = []

    def stop(fraction: float) -> None:
        calls.append(fraction)
        if fraction > 0.3:
            raise StoppedError

    with pytest.raises(StoppedError):
        list(neighbour.convert(job(few_channels, CAT, STYLE, 1.0, 1, 2, steps=STEPS), stop))
    assert len(calls) < len(seen)


def test_fine_lines_come_out_almost_as_black_as_they_are(learned: Convert) -> None:
    rows = np.arange(96) // 2 % 2
    lines = np.broadcast_to(np.where(rows, 20, 235).astype(np.uint8)[:, None, None], (96, 96, 3)).copy()

    def contrast(picture: Pixels) -> float:
        grey = picture.astype(float).mean(axis=2)
        return float(np.abs(np.diff(grey, axis=0)).mean() + np.abs(np.diff(grey, axis=1)).mean())

    assert contrast(CAT) < 0.2 * contrast(lines)
    assert 0.65 * contrast(lines) < contrast(learned(CAT, lines)[0]) < 1.1 * contrast(lines)


def test_other_weights_draw_another_picture(convert: Convert, whole: Pixels) -> None:
    assert far(convert(CAT, STYLE)[0], whole) > 1


def test_weights_that_are_gone_or_damaged_are_named(neighbour: Neighbour, few_channels: File, tmp_path: Path) -> None:
    gone = replace(few_channels, path=tmp_path / "gone.h5", sha256="0" * 64)
    with pytest.raises(RestyleError, match=r"gone\.h5 is missing; .*restyle models install neighbour") as caught:
        converter(neighbour, gone)(CAT, STYLE)
    assert caught.value.code == Code.MODEL_NOT_FOUND
    damaged = replace(few_channels, sha256="0" * 64)
    with pytest.raises(RestyleError, match="delete it and run: restyle models install neighbour") as caught:
        converter(neighbour, damaged)(CAT, STYLE)
    assert caught.value.code == Code.ENGINE_FAILED
