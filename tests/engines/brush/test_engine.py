"""What the brush promises of its pictures whatever it was taught, here with random weights and few channels."""

import subprocess
import sys
from collections.abc import Callable
from itertools import product

import numpy as np
import pytest

from restyle.engines.base import Job, Machine, Style
from restyle.engines.brush import engine, level, tiles
from restyle.engines.brush.engine import Brush
from restyle.images.pixels import Pixels
from restyle.wire.errors import RestyleError
from tests.support.brushes import load
from tests.support.pictures import picture

Convert = Callable[..., list[Pixels]]
RAW = picture(72, 96)
STYLE = picture(60, 110, seed=30)[::-1].copy()
OTHER = (255 - picture(100, 80, seed=60)).astype(np.uint8)


@pytest.fixture(scope="module")
def brush() -> Brush:
    return load(Machine(threads=1))


@pytest.fixture(scope="module")
def convert(brush: Brush) -> Convert:
    def call(
        raw: Pixels,
        styles: Pixels | tuple[Style, ...],
        strength: float = 1.0,
        *seeds: int,
        preserve_color: bool = False,
    ) -> list[Pixels]:
        given = styles if isinstance(styles, tuple) else (Style(styles),)
        return list(brush.convert(Job(raw, given, strength, seeds or (0,), preserve_color), lambda fraction: None))

    return call


def apart(first: Pixels, second: Pixels) -> float:
    return float(np.abs(first.astype(float) - second).mean())


@pytest.mark.parametrize(("width", "height"), [(64, 64), (65, 301), (131, 77)])
def test_results_have_the_exact_size(convert: Convert, width: int, height: int) -> None:
    assert convert(picture(height, width), STYLE, 0.6)[0].shape == (height, width, 3)


def test_strength_zero_is_the_raw_image(convert: Convert) -> None:
    assert np.array_equal(convert(RAW, STYLE, 0.0)[0], RAW)


def test_distance_to_the_raw_image_grows_steadily_from_nothing(convert: Convert) -> None:
    distances = [apart(convert(RAW, STYLE, s)[0], RAW) for s in (0.01, 0.25, 0.5, 0.75, 1.0)]
    assert distances[0] < 2
    assert distances == sorted(distances)
    assert distances[-1] > 10


def test_image_of_a_batch_equals_a_request_with_its_seed(convert: Convert) -> None:
    batch = convert(RAW, STYLE, 0.8, 5, 6)
    assert np.array_equal(batch[1], convert(RAW, STYLE, 0.8, 6)[0])
    assert apart(*batch) > 0.5


def test_a_new_process_draws_the_same(convert: Convert) -> None:
    """Nothing that was drawn before has a part in it, nor how many threads there are."""
    again = list(load(Machine(threads=2)).convert(Job(RAW, (Style(STYLE),), 1.0, (3,)), lambda fraction: None))
    assert apart(again[0], convert(RAW, STYLE, 1.0, 3)[0]) < 0.01


def test_colours_can_be_kept(convert: Convert) -> None:
    changed, kept = (convert(RAW, OTHER, 1.0, preserve_color=keep)[0].reshape(-1, 3).mean(0) for keep in (False, True))
    raw = RAW.reshape(-1, 3).mean(0)
    assert np.abs(kept - raw).max() < 8
    assert np.abs(kept - raw).max() < np.abs(changed - raw).max()


@pytest.mark.parametrize("shape", [(8, 600), (700, 9), (1, 1)])
def test_a_reference_of_any_shape_counts_to_its_ends(convert: Convert, shape: tuple[int, int]) -> None:
    plain = np.full((*shape, 3), 128, np.uint8)
    ends = plain.copy()
    ends[-max(1, shape[0] // 5) :, -max(1, shape[1] // 5) :] = (250, 20, 10)
    assert apart(convert(RAW, plain)[0], convert(RAW, ends)[0]) > 0.1


def test_pieces_leave_no_seam(brush: Brush, convert: Convert, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = picture(120, 250)
    whole = convert(raw, STYLE, 0.7)[0]
    monkeypatch.setattr(level, "WHOLE", 100)
    monkeypatch.setattr(level, "MOST", 600)
    cut = convert(raw, STYLE, 0.7)[0]
    assert min(level.pieces(120, 250)) > 2
    assert np.abs(whole.astype(int) - cut).max() <= 1


def test_drawing_needs_little_memory_for_its_pieces() -> None:
    """A process of its own, whose peak is the kernel's to tell. With its frame the piece has 256 x 256 pixels: 62 MB
    beyond what loading took, and 7 for what OpenVINO keeps of the sketch's size. When noise and the last layer stood
    whole it was 32 more. With bfloat16 it is less.
    """
    command = [sys.executable, "-m", "tests.engines.brush.peak", "160"]
    assert int(subprocess.run(command, check=True, capture_output=True, text=True).stdout) < 78_000_000


@pytest.mark.parametrize("most", [1600, 3300])
def test_no_piece_is_large_whatever_the_picture(most: int) -> None:
    """Memory follows the largest. What needs no cutting is not cut, and all is kept once."""
    for high, wide in product([8, 57, 79, 81, 130, 145, 322], repeat=2):
        found = tiles.tiles(high, wide, most)
        assert max((tile.bottom - tile.top) * (tile.right - tile.left) for tile in found) <= most
        assert (len(found) == 1) is (high * wide <= most)
        kept = np.zeros((high, wide), int)
        for tile in found:
            kept[tile.inner()] += 1
        assert (kept == 1).all()


def test_attention_in_blocks_is_attention(brush: Brush, convert: Convert, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = convert(RAW, STYLE)[0]
    monkeypatch.setattr("restyle.engines.brush.attention.MOST_PAIRS", 1000)
    assert np.abs(whole.astype(int) - convert(RAW, STYLE)[0]).max() <= 1


def test_a_large_picture_keeps_the_strokes_of_a_small_one(convert: Convert, monkeypatch: pytest.MonkeyPatch) -> None:
    """From coarse to fine: made smaller again, it is nearly what is drawn at the base size."""
    monkeypatch.setattr(engine, "BASE_SIDE", 64)
    large = convert(picture(256, 256), STYLE)[0]
    small = convert(picture(256, 256)[2::4, 2::4].copy(), STYLE)[0]
    reduced = large.reshape(64, 4, 64, 4, 3).mean((1, 3))
    assert np.abs(reduced - small).mean() < 0.4 * apart(small, picture(256, 256)[2::4, 2::4])


def test_references_have_their_places(convert: Convert) -> None:
    left = np.zeros(RAW.shape[:2], np.uint8)
    left[:, :48] = 255
    only_first, only_second = convert(RAW, STYLE)[0], convert(RAW, OTHER)[0]
    both = convert(RAW, (Style(STYLE, mask=left), Style(OTHER, mask=255 - left)))[0]
    assert apart(both[:, :8], only_first[:, :8]) < 0.2 * apart(both[:, :8], only_second[:, :8])
    assert apart(both[:, -8:], only_second[:, -8:]) < 0.2 * apart(both[:, -8:], only_first[:, -8:])


def test_where_no_mask_reaches_the_photograph_stays(convert: Convert) -> None:
    left = np.zeros(RAW.shape[:2], np.uint8)
    left[:, :48] = 255
    drawn = convert(RAW, (Style(STYLE, mask=left),))[0]
    assert np.array_equal(drawn[:, 48:], RAW[:, 48:])
    assert np.array_equal(drawn[:, :48], convert(RAW, STYLE)[0][:, :48])


def test_weights_are_shares(convert: Convert) -> None:
    first, second = convert(RAW, STYLE)[0], convert(RAW, OTHER)[0]
    mixed = convert(RAW, (Style(STYLE, 0.9), Style(OTHER, 0.1)))[0]
    assert apart(mixed, first) < apart(mixed, second)
    assert np.array_equal(convert(RAW, (Style(STYLE, 0.4), Style(OTHER, 0.0)))[0], first)
    twice = convert(RAW, (Style(STYLE, 1.0), Style(STYLE, 2.0)))[0]
    assert np.abs(twice.astype(int) - first).max() <= 1
    with pytest.raises(RestyleError, match="no style reference has a weight above 0"):
        convert(RAW, (Style(STYLE, 0.0),))


def test_progress_rises_to_one_and_can_stop_the_job(brush: Brush) -> None:
    seen: list[float] = []
    list(brush.convert(Job(RAW, (Style(STYLE),), 1.0, (0, 1)), seen.append))
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert len(seen) > 6

    class StoppedError(Exception):
        pass

    def stop(fraction: float) -> None:
        if fraction > 0.3:
            raise StoppedError

    with pytest.raises(StoppedError):
        list(brush.convert(Job(RAW, (Style(STYLE),), 1.0, (0,)), stop))
