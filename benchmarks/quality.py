"""Scores folders of results, as ``python -m benchmarks.quality --eval PATH --results DIR [DIR ...]``."""

import argparse
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from benchmarks import metrics, pictures
from benchmarks.metrics import Scorer
from benchmarks.pictures import Pair
from restyle.images.pixels import Pixels

Row = dict[str, float]
"""The mean of every metric over the pairs, and ``retrieval``: the part of results nearest to their own reference."""


def score_results(
    scorer: Scorer, results: Iterable[tuple[Pair, Pixels]], contents: dict[str, Pixels], styles: dict[str, Pixels]
) -> tuple[Row, dict[str, Row]]:
    """The mean row and the row of every pair, by its name. One result is held at a time."""
    references = {name: scorer.remember(style).moments for name, style in styles.items()}
    rows: dict[str, Row] = {}
    for pair, result in results:
        values, seen = scorer.score_with_features(result, contents[pair.content], styles[pair.style])
        nearest = list(references)[metrics.retrieve(seen.moments, list(references.values()))]
        rows[pair.name] = values | {"retrieval": float(nearest == pair.style)}
    return mean(rows.values()), rows


def mean(rows: Iterable[Row]) -> Row:
    """The mean of each column."""
    rows = list(rows)
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def main() -> None:
    """Print the mean table of one or more folders of results, and of the photographs themselves."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    parser.add_argument("--eval", type=Path, required=True, help="folder with content/ and style/")
    parser.add_argument("--results", type=Path, nargs="*", default=[], help="folders of <content>_<style>.png|jpg")
    parser.add_argument("--size", type=int, default=metrics.SIZE, help="side at which pictures are compared")
    parser.add_argument("--full", action="store_true", help="every photograph with every artwork")
    parser.add_argument("--pairs", action="store_true", help="also print every pair")
    parser.add_argument("--raw", action="store_true", help="also score the photographs themselves")
    args = parser.parse_args()
    contents, styles = pictures.folder(args.eval / "content"), pictures.folder(args.eval / "style")
    wanted = pictures.pairs(list(contents), list(styles), full=args.full)
    scorer = metrics.default_scorer(args.size)
    columns = ["moment", "gram", "content", "ssim", "edges", "lab", "retrieval"]
    print(f"{len(wanted)} pairs, compared at {args.size}")
    print(f"{'':24}" + "".join(f"{c:>10}" for c in columns))

    def show(name: str, row: Row) -> None:
        print(f"{name[-23:]:24}" + "".join(f"{row[c]:10.3f}" for c in columns), flush=True)

    if args.raw:
        untouched = ((pair, contents[pair.content]) for pair in wanted)
        show("photograph", score_results(scorer, untouched, contents, styles)[0])
    for path in args.results:
        total, rows = score_results(scorer, pictures.results(path, wanted), contents, styles)
        if args.pairs:
            for name, row in rows.items():
                show(name, row)
        show(path.name, total)


if __name__ == "__main__":
    main()
