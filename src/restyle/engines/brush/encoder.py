"""The brush's eye: VGG16 as far as relu4_1, each layer's activations divided by their mean in training."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from restyle.engines.brush import graph
from restyle.engines.brush.weights import COMPARED, CONVOLUTIONS, LAYERS, Weights
from restyle.images.pixels import Floats
from restyle.images.runtime import op, ov

STRIDE = 8
"""Pixels that one place of relu4_1 covers; pictures are whole multiples of it."""
CELL = {"1_1": 8, "2_1": 4, "3_1": 2, "4_1": 1}
"""How many places of a layer's map one place of relu4_1 covers, down and across."""
MEAN_BGR = np.array([104.007, 116.669, 122.679], np.float32) / np.float32(255)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the eye saw in h x w places, float32 (1, channels, rows, columns).

    ``compared``: relu2_1, 3_1 and 4_1, the finer ones averaged over places; ``three``: relu3_1 as it is, of 2h x 2w;
    ``two_squares``: the means over places of relu2_1's squares.
    ``means`` and ``squares`` are the means over places of all layers' activations and of their squares, None where they
    were not asked for. ``layers`` are the channels of each.
    """

    layers: Mapping[str, int]
    compared: Floats
    three: Floats
    two_squares: Floats
    means: Floats | None = None
    squares: Floats | None = None

    @property
    def four(self) -> Floats:
        """relu4_1."""
        return self.compared[:, -self.layers["4_1"] :]


class Encoder:
    """``core`` and ``options`` come from the engine; with ``moments`` the local means and squares are made as well."""

    def __init__(self, core: ov.Core, options: graph.Options, weights: Weights, *, moments: bool) -> None:
        self._layers = weights.layers
        picture, maps = looked_at(weights, CONVOLUTIONS[-1])
        outputs = [op.concat([graph.averaged(maps[name], CELL[name]) for name in COMPARED], 1), maps["3_1"]]
        outputs.append(graph.averaged(op.multiply(maps["2_1"], maps["2_1"]), CELL["2_1"]))
        if moments:
            seen = [(maps[name], CELL[name]) for name in LAYERS]
            outputs.append(op.concat([graph.averaged(x, cell) for x, cell in seen], 1))
            outputs.append(op.concat([graph.averaged(op.multiply(x, x), cell) for x, cell in seen], 1))
        self._request = graph.compiled(core, outputs, [picture], "encoder", options)

    def __call__(self, picture: Floats) -> Seen:
        """float32 (H, W, 3), 0..1, both sides multiples of :data:`STRIDE`. The arrays are the caller's own."""
        found = self._request.infer([np.ascontiguousarray(picture)[None]], share_inputs=True)
        seen = Seen(self._layers, *(found[i] for i in range(len(found))))
        graph.give_back(self._request)
        return seen


def looked_at(weights: Weights, last: str) -> tuple[ov.Node, dict[str, ov.Node]]:
    """A picture (1, H, W, 3), 0..1, to be given, and the activations of every convolution as far as ``last``."""
    picture = op.parameter([1, -1, -1, 3], np.float32, name="picture")
    x = op.transpose(picture, op.constant(np.array([0, 3, 1, 2], np.int64)))
    # The first layer expects blue first: its kernel is turned around instead.
    x = op.subtract(x, graph.per_channel(MEAN_BGR[::-1]))
    maps: dict[str, ov.Node] = {}
    for name in CONVOLUTIONS[: CONVOLUTIONS.index(last) + 1]:
        if name.endswith("_1") and name != "1_1":
            x = op.max_pool(x, [2, 2], [1, 1], [0, 0], [0, 0], [2, 2]).output(0)
        weight = weights[f"encoder.{name}.weight"]
        if name == "1_1":
            weight = np.ascontiguousarray(weight[:, ::-1])
        x = op.relu(graph.convolved(x, weight, weights[f"encoder.{name}.bias"]))
        maps[name] = x
    return picture, maps
