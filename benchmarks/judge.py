"""How a pair's result is judged: every figure of it, and which pairs came out worst."""

from collections.abc import Iterable, Mapping

import numpy as np

from benchmarks import metrics, vgg
from benchmarks.metrics import Floats, Scorer
from benchmarks.pictures import Gallery, Pair
from benchmarks.quality import Row
from benchmarks.report import table
from restyle.images.fit import fit
from restyle.images.pixels import Pixels

DEEP = "4_3"
"""A layer that the neighbour neither matches nor measures, and that the brush's training does not see."""
TITLES = {
    "moment": "moment ↓",
    "gram": "Gram ↓",
    "deep": "relu4_3 moments ↓",
    "patches": "Lab patches ↓",
    "content": "relu4_1 ↓",
    "ssim": "SSIM ↑",
    "edges": "edge F1 ↑",
    "retrieval": "retrieval ↑",
}
WORST = 3
"""So many of the worst pairs have a sheet of their own."""


class Judge:
    """Scores results against a gallery: all figures of :data:`TITLES`."""

    def __init__(self, gallery: Gallery, scorer: Scorer, network: vgg.VGG16) -> None:
        self._scorer, self._network = scorer, network
        self._raws = {name: fit(image, metrics.SIZE, metrics.SIZE) for name, image in gallery.contents.items()}
        self._styles = {name: metrics.scaled(image, scorer.size) for name, image in gallery.styles.items()}
        self._seen = {name: scorer.remember(image).moments for name, image in self._styles.items()}
        self._deep: dict[str, Floats] = {}

    def raw(self, pair: Pair) -> Pixels:
        """The photograph of a pair, as it is compared."""
        return self._raws[pair.content]

    def score(self, result: Pixels, pair: Pair) -> Row:
        """Every figure of one result."""
        style = self._styles[pair.style]
        if pair.style not in self._deep:
            self._deep[pair.style] = self._moments(style)
        small = metrics.scaled(result, self._scorer.size)
        values, seen = self._scorer.score_with_features(small, self.raw(pair), style)
        wanted = self._deep[pair.style]
        names = list(self._seen)
        nearest = names[metrics.retrieve(seen.moments, list(self._seen.values()))]
        found = values | {
            "deep": float(np.linalg.norm(self._moments(small) - wanted) / np.linalg.norm(wanted)),
            "patches": metrics.patch_distance(small, style),
            "retrieval": float(nearest == pair.style),
        }
        return {key: found[key] for key in TITLES}

    def _moments(self, image: Pixels) -> Floats:
        found: list[Floats] = []

        def keep(layer: str, activations: Floats) -> None:
            flat = activations.reshape(-1, activations.shape[2])
            found.append(np.stack([flat.mean(axis=0), flat.std(axis=0)]))

        self._network.visit(image, keep, (DEEP,))
        return found[0]


def means(rows: Mapping[str, Row], titles: Mapping[str, str] = TITLES) -> str:
    """A table of each method's means."""
    cells = [[name, *(f"{row[key]:.3f}" if key in row else "" for key in titles)] for name, row in rows.items()]
    return table(["method", *titles.values()], cells)


def worst(rows: Mapping[str, Mapping[str, Row]], titles: Mapping[str, str] = TITLES) -> str:
    """A table of each method's worst pair of every figure; ``rows``: method -> pair's name -> figures."""
    figures = _figures([row for found in rows.values() for row in found.values()], titles)
    lines = []
    for method, found in rows.items():
        names = {key: _worst_first(found, key, titles)[0] for key in figures}
        lines.append([method, *(f"{found[name][key]:.3f} ({name})" for key, name in names.items())])
    return "The worst pair of every figure:\n\n" + table(["method", *(titles[key] for key in figures)], lines)


def worst_pairs(rows: Mapping[str, Row], titles: Mapping[str, str] = TITLES, count: int = WORST) -> list[str]:
    """The names of the ``count`` pairs that stand worst when their places in every figure are added up."""
    places = dict.fromkeys(rows, 0)
    for key in _figures(rows.values(), titles):
        for place, name in enumerate(_worst_first(rows, key, titles)):
            places[name] += place
    return sorted(places, key=places.__getitem__)[:count]


def _figures(rows: Iterable[Row], titles: Mapping[str, str]) -> list[str]:
    """Those that every row has, but retrieval: it is right or wrong."""
    rows = list(rows)
    return [key for key in titles if key != "retrieval" and all(key in row for row in rows)]


def _worst_first(rows: Mapping[str, Row], key: str, titles: Mapping[str, str]) -> list[str]:
    """The title's arrow says which end is good."""
    return sorted(rows, key=lambda name: rows[name][key], reverse=titles[key].endswith("↓"))
