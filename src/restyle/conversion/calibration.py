"""Equal steps of StyleReferStrength that look like equal steps: measured with a model, on the machine that draws."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from restyle.conversion.draw import Drawer, Drawing
from restyle.conversion.likeness import eye_of
from restyle.conversion.plan import Pictures, plan
from restyle.conversion.request import Conversion
from restyle.conversion.spacing import FIRST, ROUNDS, Stretch, even, jumps, returns, settled
from restyle.conversion.trial import SEED, first, native_side
from restyle.conversion.trial_pictures import hills, still_life, strokes, tiles
from restyle.engines.base import Eye, Role
from restyle.images.decode import decode
from restyle.images.limits import Limits
from restyle.images.pixels import Pixels
from restyle.images.resize import resized
from restyle.images.sheet import strips
from restyle.settings import Settings
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

MARKS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Strengths that are calibrated; between them the strength is linear."""
MOVES = 0.05
"""Least part of the raw image's distance from the style that full strength must take away for the style to count."""

Pair = tuple[Pixels, Pixels]
"""A raw image and a style reference, uint8 (H, W, 3)."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """``spacing`` are the strengths of the recipe that the marks stand for, rising from 0 to 1; ``route`` is the way of
    the style it was measured with. ``content`` and ``style`` are the distances from the raw image and the style at the
    marks, means over the pairs; ``steps`` how far it is from mark to mark, parts of the whole way. ``jumps`` and
    ``returns`` are the stretches of the recipe's strengths that nothing evens out. ``eye`` is what looked, ``sheet``
    the pictures.
    """

    route: str
    spacing: tuple[float, ...]
    content: tuple[float, ...]
    style: tuple[float, ...]
    steps: tuple[float, ...]
    jumps: tuple[Stretch, ...]
    returns: tuple[Stretch, ...]
    eye: str
    sheet: Path

    @property
    def is_even(self) -> bool:
        """Whether all steps are within a tenth of their mean."""
        return even(self.steps)

    def put_into(self, recipe: Mapping[str, Any]) -> dict[str, Any]:
        """A model's ``recipe`` with this spacing."""
        return {**recipe, self.route: {**recipe.get(self.route, {}), "spacing": list(self.spacing)}}


@dataclass(slots=True)
class _Way:
    """What was drawn so far: strength of the recipe -> pictures, and distances from raw image and style."""

    pairs: Sequence[Pair]
    draw: Callable[[Pair, float], Pixels]
    eye: Eye
    pictures: dict[float, list[Pixels]] = field(default_factory=dict)
    distances: dict[float, tuple[float, float]] = field(default_factory=dict)

    def look(self, strength: float) -> None:
        """Draw every pair at ``strength`` and measure, unless that was done."""
        if strength in self.distances:
            return
        drawn = [self.draw(pair, strength) for pair in self.pairs]
        content = [self.eye.content(each, raw) for each, (raw, _) in zip(drawn, self.pairs, strict=True)]
        style = [self.eye.style(each, style) for each, (_, style) in zip(drawn, self.pairs, strict=True)]
        self.pictures[strength] = drawn
        self.distances[strength] = (float(np.mean(content)), float(np.mean(style)))

    def gone(self, strength: float) -> float:
        """How much of the way from the raw image to full strength is gone, 0..1 where each step leads on."""
        for each in (0.0, 1.0, strength):
            self.look(each)
        first, last, here = (self.distances[each] for each in (0.0, 1.0, strength))
        content = (here[0] - first[0]) / max(last[0] - first[0], 1e-9)
        if first[1] - last[1] < MOVES * first[1]:
            return content
        return (content + (first[1] - here[1]) / (first[1] - last[1])) / 2

    def seen(self) -> dict[float, float]:
        """How much of the way is gone at each strength that was looked at."""
        return {each: self.gone(each) for each in sorted(self.distances)}


def calibrate(
    code: str,
    settings: Settings,
    out: Path,
    *,
    pairs: Path | None = None,
    report: Callable[[float], None] = lambda fraction: None,
) -> Calibration:
    """Find the spacing for the main model ``code``, drawn with its defaults, and write ``calibration.png`` to ``out``.

    ``pairs`` is a folder with the folders ``raw`` and ``style``, whose pictures are paired by name without suffix; two
    drawn pairs without it. Raises RestyleError: 4004 for a model that cannot draw, 230 for one without a strength to be
    re-spaced or a folder without pairs, and what drawing raises.
    """
    drawer = Drawer(settings, own_process=True)
    entry = drawer.registry.main(code, field="code").entry
    if entry is None:
        raise RestyleError(
            Code.PARAMETER_NOT_AVAILABLE, f"{code} is no registered checkpoint; only those have a recipe", field="code"
        )
    side = native_side(drawer, code)
    chosen = _drawn_pairs(side) if pairs is None else _pairs_of(pairs, side)
    route = ""

    def draw(pair: Pair, strength: float) -> Pixels:
        nonlocal route
        if strength == 0:
            return pair[0]
        drawing, route = _drawing(drawer, code, pair, strength)
        return first(drawing)

    way = _Way(chosen, draw, eye_of(drawer.registry))
    most = len(FIRST) + ROUNDS * (len(MARKS) - 2)
    best = settled(way.gone, len(MARKS), lambda done: report(done / most))
    report(1.0)
    out.mkdir(parents=True, exist_ok=True)
    sheet = out / "calibration.png"
    rows = [
        [raw, style, *(way.pictures[each][index] for each in best[1:])] for index, (raw, style) in enumerate(chosen)
    ]
    strips(rows, names=("raw image", "style image", *(f"strength {mark:g}" for mark in MARKS[1:]))).save(sheet)
    content, styles = zip(*(way.distances[each] for each in best), strict=True)
    seen = way.seen()
    steps = tuple(float(step) for step in np.diff([seen[each] for each in best]))
    flaws = () if even(steps) else jumps(seen, len(MARKS)), returns(seen, len(MARKS))
    return Calibration(route, best, content, styles, steps, *flaws, way.eye.name, sheet)


def _drawing(drawer: Drawer, code: str, pair: Pair, strength: float) -> tuple[Drawing, str]:
    """``pair`` drawn at a strength of the recipe itself, whatever spacing is kept, and the way of the style."""
    raw, style = pair
    height, width = raw.shape[:2]
    conversion = Conversion.read({"model": {"code": code}, "strength": strength, "seed": SEED})
    planned = plan(conversion, drawer.registry, Pictures("raw", "style", (width, height)))
    route = "ip-adapter" if any(file.role is Role.IP_ADAPTER for file in planned.files) else "injection"
    files = tuple(
        replace(file, recipe={**file.recipe, route: {**file.recipe.get(route, {}), "spacing": [0.0, 1.0]}})
        if file.role is Role.MAIN
        else file
        for file in planned.files
    )
    return drawer.drawing(replace(planned, files=files), raw, (style,)), route


def _drawn_pairs(side: int) -> list[Pair]:
    return [(still_life(side), strokes(side)), (hills(side), tiles(side))]


def _pairs_of(folder: Path, side: int) -> list[Pair]:
    """The pairs of ``folder``, scaled to about ``side`` x ``side`` pixels."""
    raws, styles = ({path.stem: path for path in _pictures(folder / part)} for part in ("raw", "style"))
    names = sorted(raws.keys() & styles.keys())
    if not names:
        raise RestyleError(
            Code.PARAMETER_NOT_AVAILABLE,
            f"{folder} holds no pairs: give it the folders raw and style, with pictures of the same names",
            field="pairs",
        )
    return [(_scaled(raws[name], side), _scaled(styles[name], side)) for name in names]


def _pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.is_file() and not path.name.startswith("."))


def _scaled(path: Path, side: int) -> Pixels:
    picture = decode(path.read_bytes(), Limits.of(Settings()), field=path.name)[..., :3]
    height, width = picture.shape[:2]
    scale = side / (height * width) ** 0.5
    return resized(np.ascontiguousarray(picture), *(max(64, round(each * scale)) for each in (width, height)))
