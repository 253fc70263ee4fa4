"""Small patches of the whole drawing, distributed as the reference's are, from broad ones to fine ones.

A network's pictures have too little of a reference's extremes: its darkest shadow beside its lightest paper. Patches
say which colours stand beside which, at every scale. They are moved along random axes, where to match is to sort:
Pitié, Kokaram and Dahyot, N-dimensional probability density function transfer and its application to colour transfer
(ICCV 2005); of patches: Elnekave and Weiss, Generating natural images with direct patch distribution matching (ECCV
2022). What moves follows the photograph, so a sky goes as a whole.
"""

from collections.abc import Iterator
from functools import cache

import numpy as np
from PIL import Image

from restyle.engines.brush.guided import enlarged, guided
from restyle.images.pixels import Floats

OCTAVES = (4, 3, 2, 1)
"""Halvings of the picture, in the order in which its patches are moved; finer is the decoder's own."""
SIDE = 3
REACH = 4
"""Pixels of an octave to each side in which what moves follows the photograph."""
LEAST_EDGE = 8
"""Pixels of an octave, down and across, below which it says nothing."""
QUANTILES, MOST_PATCHES = 256, 16384
"""By which a distribution is known, and patches that are sorted for them at most."""
LEAST_SLOPE, MOST_SLOPE = 0.5, 2.7
"""What lies near together does not fall into one, and a flat sky does not become a stormy one."""

Distribution = dict[int, Floats]
"""Octave -> quantiles of its patches along each axis, float32 (axes, QUANTILES); small pictures lack the broad ones."""


def distribution(picture: Floats) -> Distribution:
    """Of a picture, float32 (H, W, 3), 0..1."""
    return {octave: _quantiles(_along_axes(small, octave)) for octave, small in _octaves(picture)}


def change(drawn: Floats, photograph: Floats, wanted: Distribution) -> Floats:
    """What to add to ``drawn`` so that its patches are distributed nearly as ``wanted``. All float32 (H, W, 3)."""
    height, width, _ = drawn.shape
    moved = drawn
    for octave, guide in _octaves(photograph):
        if octave in wanted:
            small = _at(moved, octave)
            shifts = _shifted(_along_axes(small, octave), wanted[octave])
            step = guided(_overlaid(shifts @ _axes(octave), *small.shape[:2]), guide.astype(np.float64), REACH)
            moved = moved + enlarged(step.astype(np.float32), width, height)
    return moved - drawn


def _octaves(picture: Floats) -> Iterator[tuple[int, Floats]]:
    for octave in OCTAVES:
        small = _at(picture, octave)
        if min(small.shape[:2]) >= LEAST_EDGE:
            yield octave, small


def _at(picture: Floats, octave: int) -> Floats:
    """The picture at that octave, each pixel a mean."""
    size = [max(1, round(edge / 2**octave)) for edge in reversed(picture.shape[:2])]
    planes = [np.asarray(Image.fromarray(picture[..., i]).resize(size, Image.Resampling.BOX)) for i in range(3)]
    return np.stack(planes, 2)


@cache
def _axes(octave: int) -> Floats:
    """Axes at right angles to each other, a row for each, the same in every call; a patch is (row, column, colour)."""
    length = 3 * SIDE * SIDE
    axes, _ = np.linalg.qr(np.random.default_rng(octave).normal(size=(length, length)))
    return axes.astype(np.float32)


def _along_axes(picture: Floats, octave: int) -> Floats:
    """Where the patch around every pixel lies along each axis, float32 (H * W, axes)."""
    reach = SIDE // 2
    framed = np.pad(picture, ((reach, reach), (reach, reach), (0, 0)), "edge")
    windows = np.lib.stride_tricks.sliding_window_view(framed, (SIDE, SIDE), (0, 1))
    patches = windows.transpose(0, 1, 3, 4, 2).reshape(-1, 3 * SIDE * SIDE)
    found: Floats = patches @ _axes(octave).T
    return found


def _quantiles(along: Floats) -> Floats:
    """Along each axis, the middle of every QUANTILES-th of the patches, or of some of them, the same in every call."""
    if len(along) > MOST_PATCHES:
        along = along[np.random.default_rng(0).integers(0, len(along), MOST_PATCHES)]
    ordered = np.sort(along.T, 1)
    middles = (np.arange(QUANTILES) + 0.5) / QUANTILES * len(along)
    return np.ascontiguousarray(ordered[:, middles.astype(np.int64)])


def _shifted(along: Floats, wanted: Floats) -> Floats:
    """How far each patch moves along each axis: to where as many lie below, but by no steeper a curve than allowed."""
    shifts = np.empty_like(along)
    for axis, (ours, theirs) in enumerate(zip(_quantiles(along), wanted, strict=True)):
        gaps = np.diff(ours)
        slopes = np.clip(np.diff(theirs) / np.maximum(gaps, np.float32(1e-6)), LEAST_SLOPE, MOST_SLOPE)
        curve = np.concatenate([np.zeros(1, np.float32), np.cumsum(slopes * gaps)])
        curve += theirs.mean() - curve.mean()
        shifts[:, axis] = np.interp(along[:, axis], ours, curve - ours)
    return shifts


def _overlaid(patches: Floats, height: int, width: int) -> Floats:
    """Of patches around every pixel the mean of all that cover each, float32 (H, W, 3)."""
    reach = SIDE // 2
    parts = patches.reshape(height, width, SIDE, SIDE, 3)
    drift = parts.mean((0, 1))
    # On the whole a patch has no middle and no border; what samples make of them would be a frame around the picture.
    parts = parts - (drift - drift.mean((0, 1)))
    total = np.zeros((height + 2 * reach, width + 2 * reach, 3), np.float32)
    counts = np.zeros((height + 2 * reach, width + 2 * reach, 1), np.float32)
    for row in range(SIDE):
        for column in range(SIDE):
            where = (slice(row, row + height), slice(column, column + width))
            total[where] += parts[:, :, row, column]
            counts[where] += 1
    inside = (slice(reach, reach + height), slice(reach, reach + width))
    return total[inside] / counts[inside]
