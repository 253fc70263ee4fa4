"""The brush's hand: what the eye saw in the photograph, dressed in what attention took from the reference, drawn.

Noise: Karras, Laine, Aila, A Style-Based Generator Architecture for Generative Adversarial Networks (CVPR 2019). Local
statistics of relu2_1 and 1_1 scale and shift what draws fine detail: Perez et al., FiLM (AAAI 2018). The photograph's
own relu2_1 and its pixels go past the coarser layers: Ronneberger, Fischer, Brox, U-Net (MICCAI 2015).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from restyle.engines.brush import graph
from restyle.engines.brush.encoder import CELL, STRIDE, looked_at
from restyle.engines.brush.weights import NOISES, Weights, part
from restyle.images.pixels import Floats
from restyle.images.runtime import op, ov

SLOPE = 0.1
"""Of the leaky ReLU below zero."""
DRESSED = ("4_1", "3_1")
NORMALISED = (*DRESSED, "2_1", "picture")
"""What is normalised over the whole of the photograph; the last two stay undressed."""


@dataclass(frozen=True, slots=True)
class Canvas:
    """What a piece of h x w places is drawn from, float32.

    ``picture`` (8h, 8w, 3) is the photograph, 0..1; ``four`` (1, C, h, w) and ``three`` (1, C, 2h, 2w) are what the eye
    saw in it, and its relu2_1, large and quickly made, is seen anew; ``means`` and
    ``deviations`` (1, channels of all layers, h, w) what its places have taken; ``noise``: a plane (1, 1, rows,
    columns) for each of the decoder's :data:`NOISES`.
    """

    picture: Floats
    four: Floats
    three: Floats
    means: Floats
    deviations: Floats
    noise: Sequence[Floats]


class Decoder:
    """``core`` and ``options`` come from the engine."""

    def __init__(self, core: ov.Core, options: graph.Options, weights: Weights) -> None:
        layers = weights.layers
        seen = {name: graph.picture(layers[name], f"relu{name}") for name in DRESSED}
        normal = {name: _per_channel_pair(layers.get(name, 3), name) for name in NORMALISED}
        photograph, maps = looked_at(weights, "2_1")
        means, deviations = (graph.picture(sum(layers.values()), name) for name in ("means", "deviations"))
        noise = {name: graph.picture(1, f"{name}/noise") for name in NOISES}
        strength = op.parameter([1], np.float32, name="strength")
        taken = {name: _of_layer(means, deviations, part(layers, name)) for name in layers}
        dressed = {}
        for name in DRESSED:
            scale, shift = normal[name]
            mean, deviation = (graph.enlarged(x, CELL[name]) for x in taken[name])
            clothed = op.add(op.multiply(op.add(op.multiply(seen[name], scale), shift), deviation), mean)
            # At strength 0 the photograph's own activations, untouched.
            dressed[name] = op.add(seen[name], op.multiply(op.subtract(clothed, seen[name]), strength))
        x = _rectified(_noisy(weights, "four", dressed["4_1"], noise))
        x = op.concat([graph.enlarged(x, 2, "nearest"), dressed["3_1"]], 1)
        x = graph.convolved(x, weights["join.weight"], weights["join.bias"])
        y = _rectified(_noisy(weights, "three0", x, noise))
        x = op.add(x, _rectified(_noisy(weights, "three1", y, noise)))
        x = _rectified(_noisy(weights, "half0", x, noise))
        pixels = op.transpose(photograph, op.constant(np.array([0, 3, 1, 2], np.int64)))
        outlines, pixels = (
            op.add(op.multiply(x, normal[name][0]), normal[name][1])
            for name, x in (("2_1", maps["2_1"]), ("picture", pixels))
        )
        x = op.depth_to_space(op.concat(_doubled(weights, "half1", x, noise, outlines), 1), "blocks_first", 2)
        x = _tinted(weights, "half1", x, taken["2_1"])
        x = _tinted(weights, "half2", _noisy(weights, "half2", x, noise), taken["1_1"])
        phases = [_rectified(phase) for phase in _doubled(weights, "full0", x, noise, pixels)]
        # Never put together: at the whole size, activations of all channels would be the most memory of all.
        x = graph.convolved_phases(phases, weights["full1.weight"], weights["full1.bias"])
        x = op.add(x, op.constant(np.float32(0.5)))
        pairs = [each for pair in normal.values() for each in pair]
        parameters = [photograph, *seen.values(), *pairs, means, deviations, *noise.values(), strength]
        self._request = graph.compiled(core, [x], parameters, "decoder", options)

    def __call__(self, canvas: Canvas, normal: Sequence[tuple[Floats, Floats]], strength: float) -> Floats:
        """float32 (8h, 8w, 3), about 0..1.

        ``normal``: scale and shift, each (C,), of :data:`NORMALISED` over the whole photograph.
        ``strength`` is 1 for the reference's style, 0 for the photograph's own.
        """
        pairs = [x.reshape(1, -1, 1, 1) for pair in normal for x in pair]
        seen = [canvas.picture[None], canvas.four, canvas.three]
        given = [*seen, *pairs, canvas.means, canvas.deviations, *canvas.noise, np.array([strength], np.float32)]
        output = self._request.infer(given, share_inputs=True, share_outputs=True)[0]
        drawn = np.array(output[0].transpose(1, 2, 0), order="C")
        graph.give_back(self._request)
        return drawn


class Dressing:
    """How one layer is distributed once it is dressed: channel means and variances over the whole photograph."""

    def __init__(self, core: ov.Core, options: graph.Options, weights: Weights, layer: str) -> None:
        channels = weights.layers[layer]
        exact = {**options, "INFERENCE_PRECISION_HINT": "f32"}
        seen, means, deviations = (graph.picture(channels, name) for name in ("seen", "means", "deviations"))
        scale, shift = _per_channel_pair(channels, layer)
        mean, deviation = (graph.enlarged(x, CELL[layer]) for x in (means, deviations))
        x = op.add(op.multiply(op.add(op.multiply(seen, scale), shift), deviation), mean)
        axes = op.constant(np.array([2, 3], np.int64))
        middle = op.reduce_mean(x, axes, True)
        away = op.subtract(x, middle)
        spread = op.reduce_mean(op.multiply(away, away), axes, True)
        parameters = [seen, scale, shift, means, deviations]
        self._request = graph.compiled(core, [middle, spread], parameters, "dressing", exact)
        self._part = part(weights.layers, layer)

    def __call__(
        self, seen: Floats, normal: tuple[Floats, Floats], means: Floats, deviations: Floats
    ) -> tuple[Floats, Floats]:
        """Mean and variance, each (C,), of the layer ``seen`` under the moments of a :class:`Canvas`."""
        taken = [np.ascontiguousarray(x[:, self._part]) for x in (means, deviations)]
        found = self._request.infer([seen, *(x.reshape(1, -1, 1, 1) for x in normal), *taken], share_inputs=True)
        mean, variance = np.array(found[0]).ravel(), np.array(found[1]).ravel()
        graph.give_back(self._request)
        return mean, variance


def _noisy(weights: Weights, name: str, x: ov.Node, noise: dict[str, ov.Node]) -> ov.Node:
    """A convolution that takes its noise as one channel more: added behind it, noise is a picture of as many
    channels as are drawn, twice over.
    """
    kernel, bias = (weights[f"{name}.{kind}"] for kind in ("weight", "bias"))
    amounts = np.zeros((len(kernel), 1, *kernel.shape[2:]), np.float32)
    amounts[:, 0, 1, 1] = weights[f"{name}.noise"]
    return graph.convolved(op.concat([x, noise[name]], 1), np.concatenate([kernel, amounts], 1), bias)


def _doubled(weights: Weights, name: str, x: ov.Node, noise: dict[str, ov.Node], past: ov.Node) -> list[ov.Node]:
    """The four phases of ``x`` doubled and convolved, each with its phase of the noise and of what came ``past``."""
    kernel, bias, amounts = (weights[f"{name}.{kind}"] for kind in ("weight", "bias", "noise"))
    return graph.doubled_and_convolved(x, kernel, bias, (noise[name], amounts), (past, weights[f"{name}.skip.weight"]))


def _tinted(weights: Weights, name: str, x: ov.Node, taken: tuple[ov.Node, ov.Node]) -> ov.Node:
    """Scaled and shifted by what local statistics say, and rectified."""
    weight, bias = weights[f"{name}.tint.weight"], weights[f"{name}.tint.bias"].copy()
    bias[: len(bias) // 2] += 1  # the scale is around 1
    tint = graph.convolved(op.concat(list(taken), 1), weight, bias)
    pair = op.split(tint, op.constant(np.int64(1)), 2).outputs()
    scale, shift = (graph.enlarged(each, STRIDE // NOISES[name]) for each in pair)
    return _rectified(op.add(op.multiply(x, scale), shift))


def _rectified(x: ov.Node) -> ov.Node:
    return op.prelu(x, op.constant(np.array([SLOPE], np.float32)))


def _per_channel_pair(channels: int, name: str) -> tuple[ov.Node, ov.Node]:
    scale, shift = (
        op.parameter([1, channels, 1, 1], np.float32, name=f"relu{name}/{kind}") for kind in ("scale", "shift")
    )
    return scale, shift


def _of_layer(means: ov.Node, deviations: ov.Node, where: slice) -> tuple[ov.Node, ov.Node]:
    """Of the moments of all layers those of one."""
    first, last, step, axis = (op.constant(np.array([n], np.int64)) for n in (where.start, where.stop, 1, 1))
    mean, deviation = (op.slice(x, first, last, step, axis) for x in (means, deviations))
    return mean, deviation
