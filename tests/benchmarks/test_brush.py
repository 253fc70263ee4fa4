from pathlib import Path

import numpy as np
import pytest

from benchmarks import brush, judge, metrics, vgg
from benchmarks.metrics import Scorer
from benchmarks.pictures import Gallery, Pair
from benchmarks.report import Bar
from restyle.engines.base import Machine
from tests.support.brushes import load
from tests.support.networks import random_weights
from tests.support.pictures import picture


def figures(**changed: float) -> dict[str, float]:
    return {**brush.LESS, **brush.MORE, **changed}


def test_every_bar_stands_at_both_sizes() -> None:
    met = brush.bars({"brush at 512": figures(), "brush at 1024": figures()})
    assert len(met) == 16
    assert all(bar.met for bar in met)


@pytest.mark.parametrize(("figure", "value"), [("moment", 0.151), ("patches", 2.1), ("ssim", 0.53), ("retrieval", 0.9)])
def test_a_figure_on_the_wrong_side_misses_its_bar(figure: str, value: float) -> None:
    def missed(bars: list[Bar]) -> list[str]:
        return [bar.what for bar in bars if not bar.met]

    title = judge.TITLES[figure][:-2]
    found = brush.bars({"brush at 512": figures(), "brush at 1024": figures(**{figure: value})})
    assert missed(found) == [f"brush at 1024, {title}"]


def test_a_picture_is_nearer_to_itself_than_to_another() -> None:
    network = vgg.VGG16(random_weights(0, (3, 8, 8, 12, 12, 16, 16, 16, 20, 20, 20)))
    styles = {"x": 255 - picture(64, 64), "y": np.full((64, 64, 3), 90, np.uint8)}
    gallery = Gallery({"a": picture(64, 64)}, styles, {})
    jury = judge.Judge(gallery, Scorer(network, 64), network)
    own, other = jury.score(styles["x"], Pair("a", "x")), jury.score(styles["x"], Pair("a", "y"))
    assert set(own) == set(judge.TITLES)
    assert own["deep"] == own["moment"] == own["patches"] == 0
    assert (own["retrieval"], other["retrieval"]) == (1, 0)
    assert other["deep"] > 0.1


def test_arithmetic_grows_with_the_picture() -> None:
    half, whole = (brush.flops(side, 256, 192) for side in (256, 512))
    assert 670e9 < whole < 690e9
    assert 3.5 < whole / half < 6


def test_the_section_shows_every_method_and_the_worst_pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brush, "SIZES", (64,))
    monkeypatch.setattr(metrics, "SIZE", 64)
    network = vgg.VGG16(random_weights(0, (3, 8, 8, 12, 12, 16, 16, 16, 20, 20, 20)))
    gallery = Gallery({"a": picture(64, 64)}, {"x": picture(64, 64, seed=9)}, {})
    engine = load(Machine())
    section = brush.quality(gallery, engine, engine, Scorer(network, 64), network, tmp_path, count=1, log=print)
    assert "| painter at 64 |" in section.text[1]
    assert "(a_x)" in section.text[2]
    assert len(section.bars) == 8
    assert (tmp_path / "brush" / "brush-64" / "a_x.png").is_file()
    assert (tmp_path / "brush" / "sheet-1.jpg").is_file()
    assert (tmp_path / "brush" / "worst-1.jpg").is_file()
