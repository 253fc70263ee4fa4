"""What the painter promises of its pictures, on real photographs and the weights that ship."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image
from skimage import data

from restyle.engines.base import Job, Machine, Style
from restyle.engines.painter.engine import Painter, load
from restyle.images.pixels import Pixels

Convert = Callable[..., list[Pixels]]


def picture(name: str, width: int, height: int) -> Pixels:
    return np.asarray(Image.fromarray(getattr(data, name)()).convert("RGB").resize((width, height)))


@pytest.fixture(scope="module")
def painter() -> Painter:
    return load(Machine(threads=2))


@pytest.fixture(scope="module")
def convert(painter: Painter) -> Convert:
    def call(
        raw: Pixels, style: Pixels, strength: float = 1.0, *seeds: int, preserve_color: bool = False
    ) -> list[Pixels]:
        job = Job(raw, (Style(style),), strength, seeds or (0,), preserve_color)
        return list(painter.convert(job, lambda fraction: None))

    return call


CAT = picture("chelsea", 320, 256)
STYLE = picture("coffee", 300, 200)


@dataclass(frozen=True)
class Batch:
    """The cat in the cup's style, by the seeds 1 and 2, and what was told of their progress."""

    pictures: list[Pixels]
    told: list[float]


@pytest.fixture(scope="module")
def batch(painter: Painter) -> Batch:
    told: list[float] = []
    return Batch(list(painter.convert(Job(CAT, (Style(STYLE),), 1.0, (1, 2)), told.append)), told)


@pytest.mark.parametrize(("width", "height"), [(64, 64), (65, 1259), (401, 303), (830, 641)])
def test_results_have_the_exact_size(convert: Convert, width: int, height: int) -> None:
    assert convert(picture("chelsea", width, height), STYLE, 0.6)[0].shape == (height, width, 3)


def test_strength_zero_is_the_raw_image(convert: Convert) -> None:
    assert np.array_equal(convert(CAT, STYLE, 0.0)[0], CAT)


def test_distance_to_the_raw_image_grows_steadily_from_nothing(convert: Convert, batch: Batch) -> None:
    drawn = [*(convert(CAT, STYLE, strength, 1)[0] for strength in (0.01, 0.25, 0.5, 0.75)), batch.pictures[0]]
    distances = [np.abs(each.astype(float) - CAT).mean() for each in drawn]
    assert distances[0] < 2
    assert distances == sorted(distances)
    assert distances[-1] > 10


def test_image_of_a_batch_equals_a_request_with_its_seed(convert: Convert, batch: Batch) -> None:
    for drawn, seed in zip(batch.pictures, (1, 2), strict=True):
        assert np.array_equal(drawn, convert(CAT, STYLE, 1.0, seed)[0])


def test_seeds_differ(batch: Batch) -> None:
    first, second = batch.pictures
    assert np.abs(first.astype(float) - second).mean() > 1


def test_colours_can_be_kept(convert: Convert) -> None:
    blue = STYLE[..., ::-1].copy()
    changed, kept = (convert(CAT, blue, 1.0, preserve_color=keep)[0].astype(float) for keep in (False, True))
    raw = CAT.reshape(-1, 3).mean(0)
    assert np.abs(kept.reshape(-1, 3).mean(0) - raw).max() < 8
    assert np.abs(kept.reshape(-1, 3).mean(0) - raw).max() < np.abs(changed.reshape(-1, 3).mean(0) - raw).max()
    assert np.abs(kept - CAT).mean() > 3


def test_the_whole_reference_counts(convert: Convert) -> None:
    """Two wide references alike in the middle square give different pictures."""
    wide = np.full((100, 500, 3), 128, np.uint8)
    red, blue = wide.copy(), wide.copy()
    red[:, :150] = red[:, 350:] = (200, 30, 20)
    blue[:, :150] = blue[:, 350:] = (20, 40, 200)
    first, second = (convert(CAT, style)[0].reshape(-1, 3).mean(0) for style in (red, blue))
    assert first[0] > second[0]
    assert first[2] < second[2]


def test_progress_rises_to_one_and_can_stop_the_job(painter: Painter, batch: Batch) -> None:
    assert batch.told == sorted(batch.told)
    assert batch.told[-1] == 1.0
    assert len(batch.told) > 6

    class StoppedError(Exception):
        pass

    def stop(fraction: float) -> None:
        if fraction > 0.3:
            raise StoppedError

    with pytest.raises(StoppedError):
        list(painter.convert(Job(CAT, (Style(STYLE),), 1.0, (0,)), stop))


def test_a_flat_photograph_stays_free_of_hatching(convert: Convert) -> None:
    """Faint noise on a flat sky must not grow into strokes."""
    noise = np.random.default_rng(0).integers(-1, 2, (256, 256, 3))
    sky = (np.full((256, 256, 3), 200) + noise).astype(np.uint8)
    sky[200:] = 40
    drawn = convert(sky, STYLE)[0][40:150, 40:216].astype(float)
    assert np.abs(np.diff(drawn, axis=0)).mean() < 4


def grain(drawn: Pixels) -> float:
    """How far pixels lie from their neighbours' mean, on average."""
    light = drawn.astype(float).mean(2)
    return float(np.abs(2 * light[:, 1:-1] - light[:, :-2] - light[:, 2:]).mean())


def test_a_small_picture_looks_like_a_larger_one_reduced(convert: Convert) -> None:
    large = Image.fromarray(convert(picture("chelsea", 384, 384), STYLE)[0])
    reduced = np.asarray(large.resize((96, 96), Image.Resampling.LANCZOS)).astype(float)
    small = picture("chelsea", 96, 96)
    assert np.abs(convert(small, STYLE)[0] - reduced).mean() < 12
    assert np.abs(small - reduced).mean() > 30


def test_a_large_picture_keeps_strokes_and_has_no_grain(convert: Convert) -> None:
    usual, large = (convert(picture("chelsea", side, side), STYLE)[0] for side in (640, 1280))
    assert grain(large) < 0.5 * grain(usual)
    seen = np.asarray(Image.fromarray(large).resize((640, 640), Image.Resampling.LANCZOS)).astype(float)
    assert np.abs(seen - usual).mean() < 20


def test_little_strength_leaves_little_of_a_small_and_of_a_large_picture_changed(convert: Convert) -> None:
    for width, height in ((64, 80), (1100, 960)):
        raw = picture("coffee", width, height)
        assert np.abs(convert(raw, STYLE, 0.01)[0].astype(float) - raw).mean() < 2
