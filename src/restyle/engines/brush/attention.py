"""Which places of a reference each place of the photograph takes its style from, and what is taken.

Local means and deviations through one attention map: Liu et al., AdaAttN: Revisit Attention Mechanism in Arbitrary
Neural Style Transfer (ICCV 2021).
"""

from itertools import count

import numpy as np

from restyle.engines.brush import graph
from restyle.engines.brush.encoder import Seen
from restyle.engines.brush.weights import COMPARED, Weights
from restyle.images.pixels import Floats
from restyle.images.runtime import op, ov

EPSILON = 1e-5
FLOOR = 1e-3
"""Added to variances before they divide anything; a mean activation is 1. Faint noise must not become strokes."""
GROUP_SPREAD, GROUP_SHARE, GROUPS = 0.06, 0.4, 1500
"""Colours (0..1) that differ by that much still belong together; how far a place goes by its group; how many blocks of
places at most a group is gathered from."""
MOST_PAIRS = 1 << 22
"""Pairs of places that are compared at a time, which bounds memory."""


def statistics(activations: Floats) -> tuple[Floats, Floats]:
    """Channel means and variances of (1, C, h, w), each float32 (C,)."""
    flat = activations.reshape(activations.shape[1], -1)
    mean = flat.mean(1)
    variance: Floats = np.maximum(np.vecdot(flat, flat) / np.float32(flat.shape[1]) - mean * mean, 0)
    return mean, variance


def normalising(mean: Floats, variance: Floats) -> tuple[Floats, Floats]:
    """Scale and shift, each (C,), that give a channel mean 0 and deviation 1."""
    scale: Floats = 1 / np.sqrt(variance + np.float32(FLOOR))
    return scale, -mean * scale


class Grouping:
    """What places ask with, nearer to what all places of their colour ask with.

    relu4_1 sees an outline from 26 pixels away and would ask for another part of the reference there, which draws a
    halo around everything that stands before a sky. Tomasi and Manduchi, Bilateral Filtering (ICCV 1998), over the
    whole picture.
    """

    def __init__(self, core: ov.Core, options: graph.Options, weights: Weights) -> None:
        length = len(weights["attention.query"])
        query, blocks = (op.parameter([-1, length], np.float32, name=name) for name in ("query", "blocks"))
        colours, theirs = (op.parameter([-1, 3], np.float32, name=name) for name in ("colours", "theirs"))
        # Of the squared difference, what does not depend on the block does not change the shares.
        square = op.reduce_sum(op.multiply(theirs, theirs), op.constant(np.int64(1)), False)
        near = op.subtract(op.matmul(colours, op.multiply(theirs, op.constant(np.float32(2))), False, True), square)
        shares = op.softmax(op.multiply(near, op.constant(np.float32(1 / (2 * GROUP_SPREAD**2)))), 1)
        group = _of_length_one(op.matmul(shares, blocks, False, False))
        mixed = op.add(
            op.multiply(query, op.constant(np.float32(1 - GROUP_SHARE))),
            op.multiply(group, op.constant(np.float32(GROUP_SHARE))),
        )
        exact = {**options, "INFERENCE_PRECISION_HINT": "f32"}
        given = [query, colours, blocks, theirs]
        self._request = graph.compiled(core, [_of_length_one(mixed)], given, "grouping", exact)

    def __call__(self, query: Floats, colours: Floats) -> Floats:
        """``query`` (h, w, length), each of length 1, and the mean colours (h, w, 3), 0..1, of the same places."""
        height, width, length = query.shape
        block = next(n for n in count(1) if height * width <= GROUPS * n * n)
        blocks, theirs = (_block_means(x, block) for x in (query, colours))
        result = np.empty((height * width, length), np.float32)
        step = MOST_PAIRS // len(blocks)
        for first in range(0, len(result), step):
            some = (x.reshape(height * width, -1)[first : first + step] for x in (query, colours))
            found = self._request.infer([*some, blocks, theirs], share_inputs=True, share_outputs=True)
            result[first : first + step] = found[0]
        graph.give_back(self._request)
        return result.reshape(query.shape)


class Attention:
    """Compares places, and gathers what belongs to those that are alike. In single precision on every processor."""

    def __init__(self, core: ov.Core, options: graph.Options, weights: Weights) -> None:
        exact = {**options, "INFERENCE_PRECISION_HINT": "f32"}
        counts = [weights.layers[name] for name in COMPARED]
        compared, self._values = sum(counts), sum(weights.layers.values())
        # A normalised channel times this, so that every layer counts alike.
        shares = np.concatenate([np.full(count, count**-0.5, np.float32) for count in counts])
        self._kernels = {name: weights[f"attention.{name}"] * shares for name in ("query", "key")}
        self._factors = {"query": np.float32(1), "key": np.float32(weights["attention.sharpness"][0])}
        length = len(weights["attention.query"])
        seen = op.parameter([compared, -1], np.float32, name="seen")
        kernel = op.parameter([length, compared], np.float32, name="kernel")
        bias = op.parameter([length, 1], np.float32, name="bias")
        factor = op.parameter([1], np.float32, name="factor")
        projected = op.add(op.matmul(kernel, seen, False, False), bias)
        turned = op.transpose(projected, op.constant(np.array([1, 0], np.int64)))
        turned = op.multiply(_of_length_one(turned), factor)
        self._projection = graph.compiled(core, [turned], [seen, kernel, bias, factor], "projection", exact)
        query, key = (op.parameter([-1, length], np.float32, name=name) for name in ("query", "key"))
        values = op.parameter([2 * self._values, -1], np.float32, name="values")
        shares = op.softmax(op.matmul(query, key, False, True), 1)
        taken = op.matmul(values, shares, False, True)
        means, squares = op.split(taken, op.constant(np.int64(0)), 2).outputs()
        variance = op.relu(op.subtract(squares, op.multiply(means, means)))
        deviations = op.sqrt(op.add(variance, op.constant(np.float32(EPSILON))))
        self._request = graph.compiled(core, [means, deviations], [query, key, values], "attention", exact)

    def query(self, compared: Floats) -> Floats:
        """What a photograph's places ask with, (places, length), from :attr:`Seen.compared`."""
        return self._projected("query", compared)

    def key(self, compared: Floats) -> Floats:
        """What a reference's places are found by, likewise; times the sharpness of the choice."""
        return self._projected("key", compared)

    def __call__(self, query: Floats, key: Floats, values: Floats) -> tuple[Floats, Floats]:
        """Means and deviations, each (channels, places of ``query``), of ``values`` (2 channels, places of ``key``)."""
        step = max(1, MOST_PAIRS // len(key))
        means = np.empty((self._values, len(query)), np.float32)
        deviations = np.empty_like(means)
        for first in range(0, len(query), step):
            block = np.ascontiguousarray(query[first : first + step])
            found = self._request.infer([block, key, values], share_inputs=True, share_outputs=True)
            means[:, first : first + step], deviations[:, first : first + step] = found[0], found[1]
        graph.give_back(self._request)
        return means, deviations

    def _projected(self, kind: str, compared: Floats) -> Floats:
        """Layers count alike, each normalised over the picture; the projection does that on its way."""
        scale, shift = normalising(*statistics(compared))
        kernel = self._kernels[kind]
        bias = (kernel @ shift)[:, None]
        given = [compared.reshape(compared.shape[1], -1), kernel * scale, bias, self._factors[kind].reshape(1)]
        return np.array(self._projection.infer(given, share_inputs=True)[0])


def _of_length_one(rows: ov.Node) -> ov.Node:
    """Each row divided by its length."""
    length = op.reduce_l2(rows, op.constant(np.int64(1)), True)
    return op.divide(rows, op.maximum(length, op.constant(np.float32(1e-12))))


def _block_means(x: Floats, block: int) -> Floats:
    """Of (h, w, C) the means of blocks of ``block`` x ``block``, (blocks, C), without what is left over at the end."""
    rows, columns = (edge // block for edge in x.shape[:2])
    whole = x[: rows * block, : columns * block].reshape(rows, block, columns, block, -1)
    return np.ascontiguousarray(whole.mean((1, 3)).reshape(rows * columns, -1))


def own_moments(seen: Seen) -> tuple[Floats, Floats]:
    """Means and deviations of a picture's own activations in each of its places, each (channels, places)."""
    assert seen.means is not None
    assert seen.squares is not None
    means, squares = (x.reshape(x.shape[1], -1) for x in (seen.means, seen.squares))
    deviations: Floats = np.sqrt(np.maximum(squares - means * means, 0) + np.float32(EPSILON))
    return means, deviations
