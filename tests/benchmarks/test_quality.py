from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import pictures
from benchmarks.metrics import Scorer
from benchmarks.pictures import Pair
from benchmarks.quality import score_results
from tests.support.networks import random_vgg
from tests.support.pictures import picture


def test_each_artwork_is_used_once_and_photographs_take_turns() -> None:
    found = pictures.pairs(["a", "b"], ["x", "y", "z", "w"], full=False)
    assert [pair.name for pair in found] == ["a_x", "b_y", "a_z", "b_w"]


def test_full_means_every_combination() -> None:
    found = {pair.name for pair in pictures.pairs(["a", "b"], ["x", "y", "z"], full=True)}
    assert found == {"a_x", "b_x", "a_y", "b_y", "a_z", "b_z"}


def test_a_missing_result_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"{tmp_path}: no a_x"):
        list(pictures.results(tmp_path, [Pair("a", "x")]))


def test_a_folder_without_pictures_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no pictures"):
        pictures.folder(tmp_path)


def test_a_gallery_has_photographs_artworks_and_peers(tmp_path: Path) -> None:
    for name in ("content/a.png", "style/x.jpg", "peers/other/a_x.png"):
        (tmp_path / name).parent.mkdir(parents=True)
        Image.fromarray(picture(20, 30)).save(tmp_path / name)
    gallery = pictures.gallery(tmp_path)
    assert list(gallery.contents) == ["a"]
    assert list(gallery.styles) == ["x"]
    assert gallery.contents["a"].shape == (20, 30, 3)
    [(pair, pixels)] = pictures.results(gallery.peers["other"], pictures.pairs(["a"], ["x"], full=False))
    assert pair == Pair("a", "x")
    np.testing.assert_array_equal(pixels, picture(20, 30))


def test_without_a_folder_there_are_photographs_and_our_own_style_pictures() -> None:
    gallery = pictures.gallery(None)
    assert len(gallery.contents) == 4
    assert len(gallery.styles) >= 5
    assert all(image.ndim == 3 and image.shape[2] == 3 for image in (gallery.contents | gallery.styles).values())


def test_the_mean_row_is_the_mean_and_retrieval_a_share() -> None:
    scorer = Scorer(random_vgg(), 64)
    contents = {"a": picture(64, 64), "b": picture(64, 64, seed=40)}
    styles = {"x": 255 - picture(64, 64), "y": np.full((64, 64, 3), 90, np.uint8)}
    results = [(Pair("a", "x"), styles["x"]), (Pair("b", "y"), styles["x"])]
    total, rows = score_results(scorer, results, contents, styles)
    assert [row["retrieval"] for row in rows.values()] == [1, 0]
    assert total["retrieval"] == 0.5
    assert total["moment"] == pytest.approx((rows["a_x"]["moment"] + rows["b_y"]["moment"]) / 2)
    assert rows["a_x"]["moment"] == 0
