"""The style transformer: redraws a picture at its own size under a style code.

Ghiasi, Lee, Kudlur, Dumoulin, Shlens: Exploring the structure of a real-time, arbitrary neural artistic stylization
network (BMVC 2017), in the small variant that Magenta published. Instance normalisation is exact over the picture.
"""

import numpy as np
import openvino as ov
import openvino.opset13 as op

from restyle.engines.painter.cells import cell_kernel, from_cells, to_cells
from restyle.engines.painter.weights import TRANSFORMER, Array, Convolution, convolutions

CELL = 2
MARGIN = 4
"""Pixels mirrored around a picture, so that the network's own border effects are cut off."""
BEFORE, AFTER = 4 * CELL, 2 * CELL
"""Pixels mirrored beyond the margin, which the contracting convolutions use up: they pad nothing themselves."""
SHRINK = 4
"""The network works at a quarter of the size."""
EPSILON = 1e-5


class Transformer:
    """``compile`` options come from the engine; one instance serves one thread."""

    def __init__(self, core: ov.Core, options: dict[str, str | int]) -> None:
        self._convolutions = convolutions(core, TRANSFORMER)
        self._norms: list[str] = []
        model = self._build()
        self._styles = [self._style_layer(name, kind) for name in self._norms for kind in ("Conv_1", "Conv")]
        self._request = core.compile_model(model, "CPU", options).create_infer_request()

    def __call__(self, picture: Array, code: Array) -> Array:
        """float32 (H, W, 3), 0..1, and a style code float32 (100,), to the redrawn float32 (H, W, 3), 0..1."""
        height, width, _ = picture.shape
        bottom, right = (MARGIN + AFTER + -edge % SHRINK for edge in (height, width))
        framed = np.pad(picture, ((MARGIN + BEFORE, bottom), (MARGIN + BEFORE, right), (0, 0)), "reflect")
        parameters = [(w @ code + b).reshape(1, -1, 1, 1) for w, b in self._styles]
        output = self._request.infer([to_cells(framed, CELL), *parameters], share_inputs=True, share_outputs=True)[0]
        # Cut before the cells are taken apart: what is cut off need not be moved.
        top, down, across = MARGIN // CELL, -(-height // CELL), -(-width // CELL)
        redrawn = from_cells(output[:, top : top + down, top : top + across], CELL)
        return redrawn if redrawn.shape == picture.shape else redrawn[:height, :width].copy()

    def _style_layer(self, name: str, kind: str) -> tuple[Array, Array]:
        layer = self._convolutions[f"style_params/transformer/{name}/StyleNorm/{kind}/BiasAdd_prequant"]
        return layer.weight[:, :, 0, 0], layer.bias

    def _build(self) -> ov.Model:
        # Channels come last, as the convolutions want them: turning planes around took a tenth of a pass.
        cells = op.parameter([1, -1, -1, CELL * CELL * 3], np.float32, name="cells")
        parameters = [cells]
        picture = op.transpose(cells, _ints(0, 3, 1, 2))
        first, second, third = (self._convolutions[f"transformer/contract/conv{i}/Relu_prequant"] for i in (1, 2, 3))
        x = op.relu(_biased(_convolved(picture, cell_kernel(first.weight, cell_in=2, cell_out=2).weight), first, 4))
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
        x = op.transpose(op.sigmoid(x), _ints(0, 2, 3, 1))
        return ov.Model([op.result(x)], parameters, "transformer")

    def _layer(self, x: ov.Node, name: str, cell_in: int = 1, cell_out: int = 1, enlarge: int = 1) -> ov.Node:
        layer = self._convolutions[f"transformer/{name}/Conv2D_prequant"]
        kernel = cell_kernel(layer.weight, cell_in=cell_in, cell_out=cell_out, enlarge=enlarge)
        # Repeating the outermost cells equals mirroring by one pixel, which is what most of these layers ask for.
        before, after = _ints(0, 0, kernel.before, kernel.before), _ints(0, 0, kernel.after, kernel.after)
        return _convolved(op.pad(x, before, after, "edge"), kernel.weight)

    def _normalised(self, x: ov.Node, name: str, cell: int, parameters: list[ov.Node]) -> ov.Node:
        """Conditional instance normalisation; the phases of a cell share their channel's mean and variance."""
        self._norms.append(name)
        phases = cell * cell
        channels = x.get_output_partial_shape(0)[1].get_length() // phases
        scale = op.parameter([1, channels, 1, 1], np.float32, name=f"{name}/scale")
        shift = op.parameter([1, channels, 1, 1], np.float32, name=f"{name}/shift")
        parameters += [scale, shift]
        if cell == 1:
            plain = op.mvn(x, _ints(2, 3), True, EPSILON, "inside_sqrt")
            return op.add(op.multiply(plain, scale), shift)

        def over_phases(value: ov.Node) -> ov.Node:
            by_phase = op.reshape(value, _ints(1, phases, channels, 1), False)
            return op.reshape(op.reduce_mean(by_phase, _ints(1), True), _ints(1, channels, 1, 1), False)

        axes = _ints(2, 3)
        area = op.reduce_prod(op.gather(op.shape_of(x), axes, op.constant(np.int64(0))), _ints(0), False)
        # The norm, unlike the mean of a product, needs no second picture in memory.
        norm = op.reduce_l2(x, axes, True)
        square = over_phases(op.divide(op.multiply(norm, norm), op.convert(area, "f32")))
        average = over_phases(op.reduce_mean(x, axes, True))
        variance = op.subtract(square, op.multiply(average, average))
        gain = op.divide(scale, op.sqrt(op.add(op.relu(variance), op.constant(np.float32(EPSILON)))))
        offset = op.subtract(shift, op.multiply(average, gain))
        repeats = _ints(1, phases, 1, 1)
        return op.add(op.multiply(x, op.tile(gain, repeats)), op.tile(offset, repeats))


def _convolved(x: ov.Node, weight: Array, stride: int = 1) -> ov.Node:
    return op.convolution(x, op.constant(weight), [stride, stride], [0, 0], [0, 0], [1, 1])


def _biased(x: ov.Node, layer: Convolution, phases: int = 1) -> ov.Node:
    return op.add(x, op.constant(np.tile(layer.bias, phases).reshape(1, -1, 1, 1)))


def _ints(*values: int) -> ov.Node:
    return op.constant(np.array(values, np.int64))
