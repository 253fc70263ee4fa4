from pathlib import Path

import numpy as np
import pytest

from restyle.engines.base import File, Job, Machine, Role, Style
from restyle.engines.neighbour.engine import load
from restyle.engines.neighbour.family import WEIGHTS
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError


def draw(path: Path) -> None:
    pixels = np.zeros((64, 64, 3), np.uint8)
    weights = File(Role.WEIGHTS, path, WEIGHTS.sha256, "Restyle Neighbour")
    job = Job(pixels, (Style(pixels),), strength=1.0, seeds=(0,), files=(weights,))
    list(load(Machine()).convert(job, lambda fraction: None))


def test_the_engine_without_weights_says_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(RestyleError, match="restyle models install neighbour") as caught:
        draw(tmp_path / "gone.h5")
    assert caught.value.code == Code.MODEL_NOT_FOUND


def test_the_engine_refuses_other_weights(tmp_path: Path) -> None:
    path = tmp_path / "weights.h5"
    path.write_bytes(b"other weights")
    with pytest.raises(RestyleError, match="delete it and run") as caught:
        draw(path)
    assert caught.value.code == Code.ENGINE_FAILED
