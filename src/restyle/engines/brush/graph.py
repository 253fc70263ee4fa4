"""Pieces of OpenVINO graphs that the brush's networks are built of; pictures are (1, C, H, W)."""

from collections.abc import Mapping, Sequence

import numpy as np

from restyle.engines import memory
from restyle.images.pixels import Floats
from restyle.images.runtime import op, ov

Options = Mapping[str, str | int]
PHASES = ((0, 0), (0, 1), (1, 0), (1, 1))
"""Row and column of each of the four pixels that a place has when it is doubled."""


def picture(channels: int, name: str) -> ov.Node:
    """A parameter float32 (1, channels, any, any)."""
    return op.parameter([1, channels, -1, -1], np.float32, name=name)


def per_channel(values: Floats) -> ov.Node:
    """A constant (1, channels, 1, 1)."""
    return op.constant(np.ascontiguousarray(values.reshape(1, -1, 1, 1)))


def convolved(x: ov.Node, weight: Floats, bias: Floats) -> ov.Node:
    """A convolution with an odd kernel, zeros around the picture, and a bias."""
    pad = [weight.shape[2] // 2] * 2
    return op.add(op.convolution(x, op.constant(weight), [1, 1], pad, pad, [1, 1]), per_channel(bias))


def doubled_and_convolved(
    x: ov.Node, weight: Floats, bias: Floats, noise: tuple[ov.Node, Floats], past: tuple[ov.Node, Floats]
) -> list[ov.Node]:
    """Nearest-neighbour enlargement by 2, a 3x3 convolution with zeros around the picture, and a bias; as the four
    pixels of each place, row by row. Added are a plane of the enlarged size times ``noise``'s amounts (channels,), and
    a picture of that size, ``past``, under a convolution of 1x1 or 3x3.

    Each of the four sees two rows and two columns of the small picture, so four kernels of 2x2 do what one of 3x3 does
    on the enlarged picture, in 4/9 of the arithmetic (sub-pixel convolution, Shi et al., CVPR 2016). What is added are
    channels more: sums of whole pictures would be the most memory of all.
    """
    plane, amounts = noise
    x = op.concat([x, op.space_to_depth(plane, "blocks_first", 2)], 1)
    apart = op.space_to_depth(past[0], "blocks_first", 2)
    whole = past[1].shape[2] > 1
    beside = [apart] * len(PHASES) if whole else op.split(apart, op.constant(np.int64(1)), len(PHASES)).outputs()
    phases = []
    for phase, ((row, column), other) in enumerate(zip(PHASES, beside, strict=True)):
        kernel = _folded(_folded(weight, row, 2), column, 3)
        taps = np.zeros((len(kernel), len(PHASES), 2, 2), np.float32)
        taps[:, phase, 1 - row, 1 - column] = amounts
        if whole:
            added = _over_phases(past[1], row, column)
        else:
            added = np.zeros((*past[1].shape[:2], 2, 2), np.float32)
            added[:, :, 1 - row, 1 - column] = past[1][:, :, 0, 0]
        constant = op.constant(np.concatenate([kernel, taps, added], 1))
        before, after = [1 - row, 1 - column], [row, column]
        drawn = op.convolution(op.concat([x, other], 1), constant, [1, 1], before, after, [1, 1])
        phases.append(op.add(drawn, per_channel(bias)))
    return phases


def convolved_phases(phases: Sequence[ov.Node], weight: Floats, bias: Floats) -> ov.Node:
    """What :func:`convolved` makes, with a 3x3 kernel, of the picture whose pixels lie in four ``phases``.

    Each phase adds its part to all four pixels of a place, by a kernel of 2x2 places, and is then needed no more.
    """
    outputs, inputs = weight.shape[:2]
    total: ov.Node | None = None
    for (row, column), phase in zip(PHASES, phases, strict=True):
        kernel = np.zeros((len(PHASES), outputs, inputs, 2, 2), np.float32)
        for pixel, (y, x) in enumerate(PHASES):
            for down, right in ((i, j) for i in range(3) for j in range(3)):
                high, wide = y + down - 1, x + right - 1  # of what the pixel sees there, from its place's first
                if (high % 2, wide % 2) == (row, column):
                    kernel[pixel, :, :, high // 2 + row, wide // 2 + column] = weight[:, :, down, right]
        constant = op.constant(kernel.reshape(-1, inputs, 2, 2))
        part = op.convolution(phase, constant, [1, 1], [row, column], [1 - row, 1 - column], [1, 1])
        total = op.add(part, per_channel(np.tile(bias, len(PHASES)))) if total is None else op.add(total, part)
    return op.depth_to_space(total, "blocks_first", 2)


def enlarged(x: ov.Node, factor: int, mode: str = "linear_onnx") -> ov.Node:
    """``factor`` times as high and wide; bilinear, or ``nearest``."""
    if factor == 1:
        return x
    asymmetric = mode == "nearest"
    return op.interpolate(
        x,
        op.constant(np.full(2, factor, np.float32)),
        mode,
        "scales",
        coordinate_transformation_mode="asymmetric" if asymmetric else "half_pixel",
        nearest_mode="floor",
        axes=op.constant(np.array([2, 3], np.int64)),
    )


def averaged(x: ov.Node, factor: int) -> ov.Node:
    """Means of ``factor`` x ``factor`` places."""
    if factor == 1:
        return x
    return op.avg_pool(x, [factor] * 2, [0, 0], [0, 0], [factor] * 2, True)


def compiled(
    core: ov.Core, outputs: Sequence[ov.Node], parameters: Sequence[ov.Node], name: str, options: Options
) -> ov.InferRequest:
    """Ready to run on the CPU, with what ``options`` say."""
    model = ov.Model([op.result(output) for output in outputs], list(parameters), name)
    return core.compile_model(model, "CPU", dict(options)).create_infer_request()


def give_back(request: ov.InferRequest) -> None:
    """Return what a network used on its way, which it keeps otherwise: the brush's networks work one after the other.

    What was inferred with ``share_outputs`` must have been copied before. Blocks below 32 MB stay with the C library
    when they are freed, among others that are still used; it too is made to return them.
    """
    request.get_compiled_model().release_memory()
    memory.give_back()


def _over_phases(weight: Floats, row: int, column: int) -> Floats:
    """A 3x3 kernel (outputs, inputs, 3, 3) around one pixel of a place, as one of 2x2 places whose four pixels are
    channels, block by block.
    """
    outputs, inputs = weight.shape[:2]
    kernel = np.zeros((outputs, len(PHASES), inputs, 2, 2), np.float32)
    for down, right in ((i, j) for i in range(3) for j in range(3)):
        high, wide = row + down - 1, column + right - 1  # of what is seen, from the place's first pixel
        phase = PHASES.index((high % 2, wide % 2))
        kernel[:, phase, :, high // 2 + 1 - row, wide // 2 + 1 - column] = weight[:, :, down, right]
    return kernel.reshape(outputs, -1, 2, 2)


def _folded(weight: Floats, phase: int, axis: int) -> Floats:
    """Three taps along ``axis`` as the two that one phase of the enlarged picture has."""
    first, second, third = (np.take(weight, [i], axis) for i in range(3))
    parts = [first, second + third] if phase == 0 else [first + second, third]
    return np.ascontiguousarray(np.concatenate(parts, axis))
