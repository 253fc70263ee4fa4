"""Colours that files describe by numbers instead of a profile: code points (ITU-T H.273), or gamma and primaries (PNG).

Linear light is counted so that 1 is the white of an sRGB picture. For high dynamic range that white is 203 cd/m2, as
ITU-R BT.2408 has it: what is darker arrives unchanged, what is brighter is compressed into the top quarter.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image

from restyle.images.pixels import Floats
from restyle.images.structure.frame import Cicp

Doubles = npt.NDArray[np.float64]
Transfer = Callable[[Doubles], Doubles]
Chromaticities = tuple[float, float, float, float, float, float, float, float]
"""x and y of red, green, blue and white (CIE 1931)."""

D65, C = (0.3127, 0.329), (0.31, 0.316)
BT709: Chromaticities = (0.64, 0.33, 0.3, 0.6, 0.15, 0.06, *D65)
PRIMARIES: dict[int, Chromaticities] = {
    1: BT709,
    4: (0.67, 0.33, 0.21, 0.71, 0.14, 0.08, *C),
    5: (0.64, 0.33, 0.29, 0.6, 0.15, 0.06, *D65),
    6: (0.63, 0.34, 0.31, 0.595, 0.155, 0.07, *D65),
    7: (0.63, 0.34, 0.31, 0.595, 0.155, 0.07, *D65),
    8: (0.681, 0.319, 0.243, 0.692, 0.145, 0.049, *C),
    9: (0.708, 0.292, 0.17, 0.797, 0.131, 0.046, *D65),
    11: (0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.314, 0.351),
    12: (0.68, 0.32, 0.265, 0.69, 0.15, 0.06, *D65),
    22: (0.63, 0.34, 0.295, 0.605, 0.155, 0.077, *D65),
}
"""Code point -> primaries (H.273, table 2)."""
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])

WHITE_NITS = 203.0
PQ, HLG = 16, 18
PQ_NITS, HLG_NITS, HLG_GAMMA = 10_000.0, 1000.0, 1.2
"""Light at the top of the two curves, and what a display of 1000 cd/m2 adds to the second (BT.2100)."""
NOMINAL_GAMMA = 2.2
"""The exponent that PNG files state who mean sRGB."""
KNEE, BRIGHT = 0.75, 1.2
"""Where compression begins, and how bright a picture must be to be compressed: noise above white is cut off."""
CHUNK = 1 << 18
"""Pixels that are converted at a time."""
STEPS = 1 << 16


@dataclass(frozen=True)
class Space:
    """``linear`` takes code values 0..1 to light; of HLG to that of the scene, which ``hlg`` says."""

    chromaticities: Chromaticities
    linear: Transfer
    hlg: bool = False
    full: bool = True


def of_cicp(cicp: Cicp) -> Space | None:
    """The space of code points; None where it is sRGB. What is unspecified or reserved is taken for sRGB's."""
    primaries = PRIMARIES.get(cicp.primaries, BT709)
    transfer = TRANSFERS.get(cicp.transfer, _srgb)
    if primaries == BT709 and transfer is _srgb and cicp.full:
        return None
    return Space(primaries, transfer, cicp.transfer == HLG, cicp.full)


def of_png(gamma: object, chromaticity: object) -> Space | None:
    """The space that PNG's ``gAMA`` and ``cHRM`` describe, in Pillow's words: the exponent that coded the picture, and
    x and y of white, red, green and blue. None where it is sRGB, or no space.
    """
    transfer: Transfer = _srgb
    primaries = BT709
    if isinstance(gamma, float) and 0.1 <= gamma <= 5 and abs(1 / gamma - NOMINAL_GAMMA) > 0.05:
        transfer = _power(1 / gamma)
    if isinstance(chromaticity, Sequence) and len(chromaticity) == 8:
        given = (*chromaticity[2:], *chromaticity[:2])
        if max(abs(a - b) for a, b in zip(given, BT709, strict=True)) > 0.005 and _usable(given):
            primaries = given
    return None if transfer is _srgb and primaries == BT709 else Space(primaries, transfer)


def to_srgb(image: Image.Image, space: Space) -> Image.Image:
    """``image``, of mode RGB and in ``space``, in sRGB. Colours outside sRGB are cut off."""
    codes = np.arange(256) / 255
    levels = space.linear(codes if space.full else np.clip((codes * 255 - 16) / 219, 0, 1)).astype(np.float32)
    to_light = _matrix(space.chromaticities)
    luminances = _to_xyz(space.chromaticities)[1].astype(np.float32)
    brightest = float(levels[max(top for _, top in image.getextrema())])  # type: ignore[misc]
    peak = brightest**HLG_GAMMA * HLG_NITS / WHITE_NITS if space.hlg else brightest
    pixels = np.array(image)
    rows = pixels.reshape(-1, 3)
    for start in range(0, len(rows), CHUNK):
        light = levels[rows[start : start + CHUNK]]
        if space.hlg:
            scene = np.maximum(light @ luminances, 1e-6)[:, None]
            light *= scene ** np.float32(HLG_GAMMA - 1) * np.float32(HLG_NITS / WHITE_NITS)
        light = light @ to_light
        if peak > BRIGHT:
            light = _compressed(light, peak)
        rows[start : start + CHUNK] = _encoded()[(np.clip(light, 0, 1) * (STEPS - 1) + 0.5).astype(np.uint16)]
    return Image.fromarray(pixels)


def _compressed(light: Floats, peak: float) -> Floats:
    """Light up to ``peak`` brought under 1 with its hue (Reinhard et al. 2002, equation 4, above the knee alone)."""
    most = np.maximum(light.max(axis=1, keepdims=True), 1e-6)
    over, top = np.maximum(most - KNEE, 0) / (1 - KNEE), (peak - KNEE) / (1 - KNEE)
    wanted = KNEE + (1 - KNEE) * over * (1 + over / top**2) / (1 + over)
    found: Floats = light * np.where(most > KNEE, wanted / most, 1).astype(np.float32)
    return found


def _to_xyz(chromaticities: Chromaticities) -> Doubles:
    """The matrix whose columns are red, green and blue as XYZ, together white of Y = 1."""
    points = np.array(chromaticities).reshape(4, 2)
    xyz = np.stack([points[:, 0] / points[:, 1], np.ones(4), (1 - points.sum(axis=1)) / points[:, 1]])
    found: Doubles = xyz[:, :3] * np.linalg.solve(xyz[:, :3], xyz[:, 3])
    return found


def _matrix(chromaticities: Chromaticities) -> Floats:
    """Light in these primaries, as rows, to light in sRGB's; white stays white (Bradford)."""
    ours, theirs = _to_xyz(BT709), _to_xyz(chromaticities)
    cones = (BRADFORD @ ours.sum(axis=1)) / (BRADFORD @ theirs.sum(axis=1))
    adapted = np.linalg.solve(BRADFORD, cones[:, None] * (BRADFORD @ theirs))
    return np.linalg.solve(ours, adapted).T.astype(np.float32)


def _usable(chromaticities: Chromaticities) -> bool:
    """Whether these are three different colours and a white inside them."""
    if min(chromaticities[1::2]) <= 0:
        return False
    try:
        found = _to_xyz(chromaticities)
    except np.linalg.LinAlgError:
        return False
    return bool(np.isfinite(found).all() and (found[1] > 0).all() and abs(np.linalg.det(found)) > 1e-6)


@cache
def _encoded() -> npt.NDArray[np.uint8]:
    """Light in ``STEPS`` steps from 0 to 1 -> sRGB in 8 bits."""
    light = np.arange(STEPS) / (STEPS - 1)
    coded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    found: npt.NDArray[np.uint8] = (255 * coded).round().astype(np.uint8)
    return found


def _srgb(code: Doubles) -> Doubles:
    return np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)


def _bt709(code: Doubles) -> Doubles:
    return np.where(code < 0.081, code / 4.5, ((code + 0.099) / 1.099) ** (1 / 0.45))


def _smpte240(code: Doubles) -> Doubles:
    return np.where(code < 0.0913, code / 4, ((code + 0.1115) / 1.1115) ** (1 / 0.45))


def _pq(code: Doubles) -> Doubles:
    root = code ** (32 / 2523)
    light = np.maximum(root - 3424 / 4096, 0) / (2413 / 128 - 2392 / 128 * root)
    found: Doubles = light ** (16384 / 2610) * (PQ_NITS / WHITE_NITS)
    return found


def _hlg(code: Doubles) -> Doubles:
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12)


def _power(exponent: float) -> Transfer:
    return lambda code: code**exponent


TRANSFERS: dict[int, Transfer] = {
    **dict.fromkeys((1, 6, 11, 14, 15), _bt709),
    4: _power(2.2),
    5: _power(2.8),
    7: _smpte240,
    8: _power(1),
    13: _srgb,
    PQ: _pq,
    17: lambda code: code**2.6 * (52.37 / 48),
    HLG: _hlg,
}
"""Code point -> from code values to light (H.273, table 3)."""
