from pathlib import Path

import numpy as np
import pytest
from skimage.data import astronaut, coffee, gravel

from benchmarks import metrics
from benchmarks.metrics import Scorer
from restyle.images.pixels import Pixels
from tests.support.networks import random_vgg

SIZE = 96


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer(random_vgg(), SIZE)


@pytest.fixture(scope="module")
def raw() -> Pixels:
    return metrics.scaled(astronaut(), SIZE, (SIZE, SIZE))


@pytest.fixture(scope="module")
def style() -> Pixels:
    return metrics.scaled(coffee(), SIZE)


def mixed(one: Pixels, other: Pixels, share: float) -> Pixels:
    other = metrics.scaled(other, shape=(one.shape[0], one.shape[1]))
    return np.rint((1 - share) * one + share * other.astype(float)).astype(np.uint8)


def hatched(image: Pixels) -> Pixels:
    out = image.copy()
    down, across = np.mgrid[0 : image.shape[0], 0 : image.shape[1]]
    out[(down + across) % 5 == 0] = 0
    return out


def test_the_reference_itself_is_at_no_distance_from_the_style(scorer: Scorer, style: Pixels) -> None:
    values = scorer.score(style, style, style)
    assert values["moment"] == values["gram"] == values["content"] == 0
    assert values["lab"] == pytest.approx(0, abs=1e-3)
    assert values["ssim"] == values["edges"] == 1


def test_the_photograph_itself_keeps_all_content_and_has_no_style(scorer: Scorer, raw: Pixels, style: Pixels) -> None:
    values = scorer.score(raw, raw, style)
    assert values["content"] == 0
    assert values["ssim"] == values["edges"] == 1
    assert values["moment"] > 0.05
    assert values["gram"] > 0.05
    assert values["lab"] > 5


def test_the_more_of_the_reference_the_nearer_to_it(scorer: Scorer, raw: Pixels, style: Pixels) -> None:
    style = metrics.scaled(style, shape=(SIZE, SIZE))
    rows = [
        scorer.score(np.hstack([style[:, :columns], raw[:, columns:]]), raw, style) for columns in (0, 32, 64, SIZE)
    ]
    for name, sign in {"moment": -1, "gram": -1, "lab": -1, "content": 1, "ssim": -1, "edges": -1}.items():
        steps = sign * np.diff([row[name] for row in rows])
        assert (steps > 0).all(), name


def test_hatching_that_the_reference_does_not_have_is_seen(scorer: Scorer, style: Pixels) -> None:
    clean, scratched = (scorer.score(image, style, style) for image in (style, hatched(style)))
    assert scratched["moment"] > clean["moment"] + 0.05
    assert scratched["gram"] > clean["gram"] + 0.05
    assert scratched["ssim"] < 0.9
    assert scratched["edges"] < 0.95


def test_a_picture_finds_its_own_reference(scorer: Scorer, raw: Pixels, style: Pixels) -> None:
    pebbles = np.repeat(gravel()[..., None], 3, axis=2)
    references = [scorer.remember(image).moments for image in (raw, style, pebbles)]
    assert metrics.retrieve(scorer.look(metrics.scaled(style[::-1, ::-1], SIZE)).moments, references) == 1
    assert metrics.retrieve(scorer.look(metrics.scaled(pebbles[:, ::-1], SIZE)).moments, references) == 2


def test_results_of_any_size_are_seen_at_one_size(scorer: Scorer, style: Pixels) -> None:
    large = np.ascontiguousarray(astronaut())
    small = metrics.scaled(large, 256)
    ours, theirs = (scorer.score(image, image, style) for image in (large, small))
    for name, value in ours.items():
        assert value == pytest.approx(theirs[name], rel=0.05, abs=0.05), name


def test_edges_mean_the_same_at_every_size() -> None:
    raw = np.ascontiguousarray(astronaut())
    result = mixed(raw, np.ascontiguousarray(astronaut()[::-1]), 0.4)
    once = metrics.edge_f1(result, raw)
    twice = metrics.edge_f1(metrics.scaled(result, 1024), metrics.scaled(raw, 1024))
    assert 0.3 < once < 0.95
    assert twice == pytest.approx(once, abs=0.06)


def test_a_picture_without_edges_matches_only_its_like() -> None:
    flat = np.full((64, 64, 3), 128, np.uint8)
    square = flat.copy()
    square[16:48, 16:48] = 255
    assert metrics.edge_f1(flat, flat) == 1
    assert metrics.edge_f1(flat, square) == 0
    assert metrics.edge_f1(square, flat) == 0


def test_lab_distance_is_in_delta_e() -> None:
    black, white = np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), 255, np.uint8)
    assert metrics.lab_frechet(black, white) == pytest.approx(100, abs=0.1)


def test_what_was_seen_is_kept_in_the_folder(tmp_path: Path, raw: Pixels, style: Pixels) -> None:
    first = Scorer(random_vgg(), SIZE, tmp_path).score(raw, raw, style)
    assert len(list(tmp_path.glob("*.npz"))) == 2
    assert Scorer(random_vgg(), SIZE, tmp_path).score(raw, raw, style) == first


def test_patches_of_another_texture_are_farther_than_those_of_the_same(style: Pixels) -> None:
    assert metrics.patch_distance(style, style) == 0
    half = np.ascontiguousarray(style[:, : style.shape[1] // 2 + 20])
    rough = metrics.scaled(np.repeat(gravel()[..., None], 3, 2), SIZE)
    assert 0 < metrics.patch_distance(half, style) < metrics.patch_distance(rough, style)
    mirrored = metrics.patch_distance(np.ascontiguousarray(style[:, ::-1]), style)
    assert mirrored < 0.2 * metrics.patch_distance(rough, style)
    assert metrics.patch_distance(hatched(style), style) > mirrored
