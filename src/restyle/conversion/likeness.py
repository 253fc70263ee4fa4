"""How far a picture is from its raw image and from its style, as somebody who looks would say."""

from pkgutil import resolve_name

import numpy as np

from restyle.conversion.registry import Registry
from restyle.engines.base import Eye
from restyle.images.luma import luma
from restyle.images.pixels import Floats, Pixels
from restyle.images.resize import resized

WINDOW = 8
"""Side of the windows that structure is compared in, in pixels."""
STEADY = (0.01**2, 0.03**2)
"""The constants of structural similarity, for values 0..1."""


def eye_of(registry: Registry) -> Eye:
    """The best eye there is: that of an engine whose weights are installed, else :class:`Plain`."""
    for model in registry.mains.values():
        if model.family.eye and model.weights is not None and not model.absence():
            eye: Eye = resolve_name(model.family.eye)(model.weights)
            return eye
    return Plain()


class Plain:
    """An eye without a network: structure by SSIM (Wang et al. 2004), style by the colours' means and deviations."""

    name = "SSIM and colour"

    def content(self, picture: Pixels, raw: Pixels) -> float:
        """Of both at a quarter of their size, where strokes are gone and things are left: relative L2 of the colours
        and, for a quarter, 1 - the mean structural similarity of luma over windows.
        """
        small, wanted = (_quarter(each) for each in (picture, raw))
        spread = np.linalg.norm(wanted - wanted.mean((0, 1)))
        apart = float(np.linalg.norm(small - wanted) / max(float(spread), 1e-6))
        return apart + self._structure(luma(small), luma(wanted)) / 4

    def _structure(self, one: Floats, two: Floats) -> float:
        means = [_averaged(each) for each in (one, two)]
        variances = [_averaged(each * each) - mean * mean for each, mean in zip((one, two), means, strict=True)]
        shared = _averaged(one * two) - means[0] * means[1]
        light = (2 * means[0] * means[1] + STEADY[0]) / (means[0] ** 2 + means[1] ** 2 + STEADY[0])
        form = (2 * shared + STEADY[1]) / (variances[0] + variances[1] + STEADY[1])
        return 1 - float((light * form).mean())

    def style(self, picture: Pixels, style: Pixels) -> float:
        """Between means and deviations of the colours, and of their fine detail, relative to the style's."""
        one, two = (_statistics(each) for each in (picture, style))
        return float(np.linalg.norm(one - two) / np.linalg.norm(two))


def _quarter(picture: Pixels) -> Floats:
    height, width = picture.shape[:2]
    small = resized(picture, max(WINDOW, width // 4), max(WINDOW, height // 4))
    values: Floats = small.astype(np.float32) / np.float32(255)
    return values


def _averaged(plane: Floats) -> Floats:
    """Means over all windows inside, from running sums."""
    sums = np.pad(plane.astype(np.float64), ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    total = sums[WINDOW:, WINDOW:] - sums[:-WINDOW, WINDOW:] - sums[WINDOW:, :-WINDOW] + sums[:-WINDOW, :-WINDOW]
    means: Floats = total / WINDOW**2
    return means


def _statistics(picture: Pixels) -> Floats:
    height, width = picture.shape[:2]
    coarse = resized(resized(picture, max(1, width // 4), max(1, height // 4)), width, height)
    values = picture.astype(np.float32) / 255
    detail = values - coarse.astype(np.float32) / 255
    axes = (0, 1)
    found: Floats = np.concatenate([values.mean(axes), values.std(axes), detail.std(axes)])
    return found
