"""The style transformer: redraws a picture at its own size under a style code.

Ghiasi, Lee, Kudlur, Dumoulin, Shlens: Exploring the structure of a real-time, arbitrary neural artistic stylization
network (BMVC 2017), in the small variant that Magenta published. Instance normalisation is exact over the picture.
"""

import numpy as np

from restyle.engines.painter.cells import cell_kernel
from restyle.engines.painter.weights import TRANSFORMER, Convolution, convolutions
from restyle.images.pixels import Floats
from restyle.images.runtime import op, ov

CELL = 2
MARGIN = 4
"""Pixels mirrored around a picture, so that the network's own border effects are cut off."""
BEFORE, AFTER = 4 * CELL, 2 * CELL
"""Pixels mirrored beyond the margin, which the contracting convolutions use up: they pad nothing themselves."""
SHRINK = 4
"""The network works at a quarter of the size."""
EPSILON = 1e-5
LANES = 16
"""Single-precision numbers in the widest vector of common processors."""


class Transformer:
    """``compile`` options come from the engine; one instance serves one thread."""

    def __init__(self, core: ov.Core, options: dict[str, str | int]) -> None:
        self._convolutions = convolutions(core, TRANSFORMER)
        self._norms: list[tuple[str, int]] = []
        model = self._build()
        self._styles = [self._style_layer(*norm, kind) for norm in self._norms for kind in ("Conv_1", "Conv")]
        self._request = core.compile_model(model, "CPU", options).create_infer_request()

    def __call__(self, picture: Floats, code: Floats) -> Floats:
        """float32 (H, W, 3), 0..1, and a style code float32 (100,), to the redrawn float32 (H, W, 3), 0..1."""
        height, width, _ = picture.shape
        bottom, right = (MARGIN + AFTER + -edge % SHRINK for edge in (height, width))
        framed = np.pad(picture, ((MARGIN + BEFORE, bottom), (MARGIN + BEFORE, right), (0, 0)), "reflect")
        parameters = [(w @ code + b).reshape(1, -1, 1, 1) for w, b in self._styles]
        output = self._request.infer([framed[None], *parameters], share_inputs=True, share_outputs=True)[0]
        redrawn = np.empty_like(picture)
        for channel in range(3):
            redrawn[..., channel] = output[0, channel, MARGIN : MARGIN + height, MARGIN : MARGIN + width]
        return redrawn

    def _style_layer(self, name: str, phases: int, kind: str) -> tuple[Floats, Floats]:
        layer = self._convolutions[f"style_params/transformer/{name}/StyleNorm/{kind}/BiasAdd_prequant"]
        weight, bias = _filled(layer.weight[:, :, 0, 0], phases), _filled(layer.bias, phases)
        return np.tile(weight, (phases, 1)), np.tile(bias, phases)

    def _build(self) -> ov.Model:
        framed = op.parameter([1, -1, -1, 3], np.float32, name="framed")
        parameters = [framed]
        cells = op.space_to_depth(op.transpose(framed, _ints(0, 3, 1, 2)), "blocks_first", CELL)
        first, second, third = (self._convolutions[f"transformer/contract/conv{i}/Relu_prequant"] for i in (1, 2, 3))
        x = op.relu(_biased(_convolved(cells, cell_kernel(first.weight, cell_in=2, cell_out=2).weight), first, 4))
        x = op.relu(_biased(_convolved(x, cell_kernel(second.weight, cell_in=2, cell_out=1, stride=2).weight), second))
        x = op.relu(_biased(_convolved(x, third.weight, stride=2), third))
        for i in range(1, 6):
            name = f"residual/residual{i}/conv"
            y = op.relu(self._normalised(self._layer(x, f"{name}1"), f"{name}1", 1, parameters))
            x = op.add(x, self._normalised(self._layer(y, f"{name}2"), f"{name}2", 1, parameters))
        x = op.relu(self._normalised(self._layer(x, "expand/conv1/conv", 1, 2, 2), "expand/conv1/conv", 2, parameters))
        x = op.depth_to_space(x, "blocks_first", 2)
        x = op.relu(self._normalised(self._layer(x, "expand/conv2/conv", 1, 2, 2), "expand/conv2/conv", 2, parameters))
        x = self._normalised(self._layer(x, "expand/conv3/conv", 2, 2), "expand/conv3/conv", 2, parameters)
        x = op.depth_to_space(op.sigmoid(x), "blocks_first", CELL)
        return ov.Model([op.result(x)], parameters, "transformer")

    def _layer(self, x: ov.Node, name: str, cell_in: int = 1, cell_out: int = 1, enlarge: int = 1) -> ov.Node:
        layer = self._convolutions[f"transformer/{name}/Conv2D_prequant"]
        weight = _filled(layer.weight, cell_out * cell_out)
        kernel = cell_kernel(weight, cell_in=cell_in, cell_out=cell_out, enlarge=enlarge)
        # Repeating the outermost cells equals mirroring by one pixel, which is what most of these layers ask for.
        before, after = _ints(0, 0, kernel.before, kernel.before), _ints(0, 0, kernel.after, kernel.after)
        return _convolved(op.pad(x, before, after, "edge"), kernel.weight)

    def _normalised(self, x: ov.Node, name: str, cell: int, parameters: list[ov.Node]) -> ov.Node:
        """Conditional instance normalisation; the phases of a cell share their channel's mean and variance."""
        self._norms.append((name, cell * cell))
        channels, phases = x.get_output_partial_shape(0)[1].get_length(), cell * cell
        scale = op.parameter([1, channels, 1, 1], np.float32, name=f"{name}/scale")
        shift = op.parameter([1, channels, 1, 1], np.float32, name=f"{name}/shift")
        parameters += [scale, shift]
        axes = _ints(2, 3)
        area = op.reduce_prod(op.gather(op.shape_of(x), axes, op.constant(np.int64(0))), _ints(0), False)
        # The norm, unlike the mean of a product, needs no second picture in memory.
        norm = op.reduce_l2(x, axes, True)
        square = _shared(op.divide(op.multiply(norm, norm), op.convert(area, "f32")), phases)
        average = _shared(op.reduce_mean(x, axes, True), phases)
        variance = op.subtract(square, op.multiply(average, average))
        gain = op.divide(scale, op.sqrt(op.add(op.relu(variance), op.constant(np.float32(EPSILON)))))
        offset = op.subtract(shift, op.multiply(average, gain))
        return op.add(op.multiply(x, gain), offset)


def _filled(outputs: Floats, phases: int) -> Floats:
    """Zeros appended to the outputs of a layer until its ``phases`` together fill whole vectors.

    They cost nothing in the convolution, and what is done to each channel alone after it becomes faster.
    """
    count = -(-len(outputs) * phases // LANES) * LANES // phases
    return np.pad(outputs, [(0, count - len(outputs)), *[(0, 0)] * (outputs.ndim - 1)])


def _shared(value: ov.Node, phases: int) -> ov.Node:
    """The mean over the phases of each channel, for every phase.

    A convolution even for one phase: it keeps channels last in memory, as the wide convolutions want them. Otherwise
    the runtime turns whole pictures around before and after, which took a tenth of a pass.
    """
    channels = value.get_output_partial_shape(0)[1].get_length()
    mean = np.tile(np.eye(channels // phases, dtype=np.float32) / np.float32(phases), (phases, phases))
    return _convolved(value, mean.reshape(channels, channels, 1, 1))


def _convolved(x: ov.Node, weight: Floats, stride: int = 1) -> ov.Node:
    return op.convolution(x, op.constant(weight), [stride, stride], [0, 0], [0, 0], [1, 1])


def _biased(x: ov.Node, layer: Convolution, phases: int = 1) -> ov.Node:
    return op.add(x, op.constant(np.tile(layer.bias, phases).reshape(1, -1, 1, 1)))


def _ints(*values: int) -> ov.Node:
    return op.constant(np.array(values, np.int64))
