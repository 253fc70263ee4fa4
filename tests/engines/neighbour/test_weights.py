from pathlib import Path

import pytest

from restyle.engines.neighbour.engine import load
from restyle.engines.neighbour.weights import weight_file
from restyle.settings import Settings
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError


def test_the_engine_without_weights_says_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(RestyleError, match="restyle models install neighbour") as caught:
        load(Settings(data_dir=tmp_path))
    assert caught.value.code == Code.MODEL_NOT_FOUND


def test_the_engine_refuses_other_weights(tmp_path: Path) -> None:
    path = weight_file(tmp_path)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"other weights")
    with pytest.raises(RestyleError, match="delete it and run") as caught:
        load(Settings(data_dir=tmp_path))
    assert caught.value.code == Code.ENGINE_FAILED
