"""A file that does not hold the brush's weights is refused, with what is wrong with it."""

from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

import restyle
from restyle.conversion.registry import Registry
from restyle.engines.base import ShippedFile
from restyle.engines.brush.family import FAMILY, WEIGHTS
from restyle.engines.brush.weights import CHANNELS, LAYERS, read_weights, shapes
from restyle.images.pixels import Floats
from restyle.settings import Settings
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError
from tests.support.brushes import random_tensors, write
from tests.support.pictures import picture


def without(name: str) -> dict[str, Floats]:
    return {key: value for key, value in random_tensors().items() if key != name}


def changed(name: str, value: Floats) -> dict[str, Floats]:
    return {**random_tensors(), name: value}


@pytest.mark.parametrize(
    ("tensors", "reason"),
    [
        (without("four.noise"), "lacks tensors of the brush or has others: four.noise"),
        (without("three0.bias"), "lacks tensors"),
        (changed("more", np.ones(1, np.float32)), "has others: more"),
        (changed("half0.weight", np.ones((8, 16, 1, 1), np.float32)), r"half0.weight has the shape \(8, 16, 1, 1\)"),
        (changed("full1.bias", np.array([0, np.nan, 0], np.float32)), "full1.bias has values that are not finite"),
    ],
)
def test_tensors_that_are_not_the_brushs_are_named(tensors: dict[str, Floats], reason: str, tmp_path: Path) -> None:
    with pytest.raises(RestyleError, match=reason) as caught:
        read_weights(write(tmp_path / "brush.safetensors", tensors), sha256="")
    assert caught.value.code is Code.ENGINE_FAILED


def test_a_file_that_is_missing_changed_or_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "brush.safetensors"
    with pytest.raises(RestyleError, match="weights are missing"):
        read_weights(path)
    write(path, random_tensors())
    with pytest.raises(RestyleError, match="has the SHA-256"):
        read_weights(path, sha256="0" * 64)
    write(path, random_tensors(), form="something else")
    with pytest.raises(RestyleError, match="holds no weights of the brush"):
        read_weights(path, sha256="")
    path.write_bytes(b"no tensors at all")
    with pytest.raises(RestyleError, match="is no safetensors file"):
        read_weights(path, sha256="")


def test_the_weights_that_will_ship_are_small_enough() -> None:
    """In float16, with the encoder, at the width that the recipe trains."""
    count = sum(int(np.prod(shape)) for shape in shapes(width=256, key=192, channels=CHANNELS).values())
    assert 2 * count < 16_000_000


def test_the_weights_that_ship_are_those_that_are_meant() -> None:
    path = files("restyle") / WEIGHTS.path
    found = read_weights(Path(str(path)))
    assert found.layers == dict(zip(LAYERS, CHANNELS, strict=True))
    assert len(path.read_bytes()) <= 16_000_000


def test_the_library_draws_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTYLE_DATA_DIR", str(tmp_path))
    raw = picture(64, 80)
    first, second = (restyle.convert(raw, raw[::-1], model="Restyle Brush", seed=4, strength=1.0) for _ in range(2))
    assert first[0].size == (80, 64)
    assert np.array_equal(np.asarray(first[0]), np.asarray(second[0]))


def test_weights_that_were_lost_are_said(tmp_path: Path) -> None:
    gone = replace(FAMILY, shipped=ShippedFile("engines/brush/gone.safetensors", "0" * 64))
    with pytest.raises(RestyleError, match=r"restyle/engines/brush/gone.safetensors is gone"):
        Registry(Settings(data_dir=tmp_path), families=[gone]).main("Restyle Brush", field="model")
