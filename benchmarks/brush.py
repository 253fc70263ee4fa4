"""The brush beside the painter and other methods, and its speed and memory."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks import judge, peers, pictures, sheet, vgg
from benchmarks.brush_memory import peak_of_brush
from benchmarks.judge import TITLES, Judge
from benchmarks.memory import MB
from benchmarks.metrics import Scorer
from benchmarks.pictures import Gallery, Pair
from benchmarks.quality import Row, mean
from benchmarks.report import Bar, Section, number
from benchmarks.speed import MATRIX, convert, noise
from benchmarks.timing import take_turns
from restyle.engines.base import Engine
from restyle.engines.brush.engine import Brush
from restyle.engines.brush.feedback import SKETCH_FRAME, SMALLER
from restyle.engines.brush.level import MARGIN
from restyle.engines.brush.weights import CHANNELS
from restyle.images.fit import fit
from restyle.images.pixels import Pixels

SIZES = (512, 1024)
LESS = {"moment": 0.150, "gram": 0.240, "deep": 0.270, "patches": 2.0, "content": 0.740}
"""Figure -> at most."""
MORE = {"ssim": 0.540, "edges": 0.780, "retrieval": 0.95}
"""Figure -> at least."""
ROUNDS = 7
MOST_SECONDS = 3.5
LEAST_RATE = 50
MEMORY = {1024: 1.0, 2560: 3.0}
"""Side -> GB at most."""
LEGEND = """Means over pairs at strength 1, scored at 512. Style: relative distance of VGG16 channel moments and of Gram
matrices on relu1_1..4_1, which the training saw; of the moments of relu4_3 and, without any network, sliced Wasserstein
distance of 5x5 patches in Lab over four octaves (Delta E), which it did not, though the engine moves patches in RGB;
retrieval, the part of results nearer to their own reference than to every other. Content: relative distance on relu4_1,
SSIM of luma, F1 of Canny edges. The worst pair of every figure stands below.
"""


def quality(
    gallery: Gallery,
    brush: Engine,
    painter: Engine,
    scorer: Scorer,
    network: vgg.VGG16,
    out: Path,
    *,
    count: int | None,
    log: Callable[[str], None],
) -> Section:
    """Draw, score, and write results and contact sheets under ``out/brush``; ``count`` pairs, by default all."""
    wanted = pictures.pairs(list(gallery.contents), list(gallery.styles), full=False)
    if count is not None and count < len(wanted):
        wanted = [wanted[round(i)] for i in np.linspace(0, len(wanted) - 1, count)]
    jury = Judge(gallery, scorer, network)
    squares = {size: {name: fit(image, size, size) for name, image in gallery.contents.items()} for size in SIZES}
    rows: dict[str, dict[str, Row]] = {}
    shown: dict[str, list[Pixels]] = {}

    def measure(method: str, results: Iterator[tuple[Pair, Pixels]]) -> None:
        rows[method], shown[method] = {}, []
        for pair, result in results:
            rows[method][pair.name] = jury.score(result, pair)
            shown[method].append(sheet.tile(result))
        log(f"{method}: " + ", ".join(f"{key} {number(value)}" for key, value in mean(rows[method].values()).items()))

    def drawn(redraw: peers.Redraw, size: int, folder: str) -> Iterator[tuple[Pair, Pixels]]:
        for pair in wanted:
            result = redraw(squares[size][pair.content], gallery.styles[pair.style])
            path = out / "brush" / folder / f"{pair.name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(result).save(path, compress_level=1)
            yield pair, result

    for method, drawer in (("brush", peers.ours(brush)), ("painter", peers.ours(painter))):
        for size in SIZES:
            measure(f"{method} at {size}", drawn(drawer, size, f"{method}-{size}"))
    for name, path in gallery.peers.items():
        measure(name, pictures.results(path, wanted))
    lines = [
        [sheet.tile(jury.raw(pair)), sheet.tile(gallery.styles[pair.style]), *(tiles[i] for tiles in shown.values())]
        for i, pair in enumerate(wanted)
    ]
    columns = ["photograph", "reference", *shown]
    sheet.write(out / "brush", columns, lines)
    lost = judge.worst_pairs(rows[f"brush at {SIZES[0]}"])
    sheet.write(out / "brush", columns, sheet.chosen(lines, [pair.name for pair in wanted], lost), stem="worst")
    means = {method: mean(found.values()) for method, found in rows.items()}
    text = [LEGEND, judge.means(means), judge.worst(rows)]
    return Section(f"The brush, {len(wanted)} pairs", text, bars(means))


def bars(means: Mapping[str, Row]) -> list[Bar]:
    """What the brush must reach at every size."""
    found = []
    for size in SIZES:
        row = means[f"brush at {size}"]
        found += [Bar(f"brush at {size}, {TITLES[key][:-2]}", row[key], limit) for key, limit in LESS.items()]
        found += [
            Bar(f"brush at {size}, {TITLES[key][:-2]}", row[key], limit, at_least=True) for key, limit in MORE.items()
        ]
    return found


def speed(brush: Brush, weights: Path | None, log: Callable[[str], None]) -> Section:
    """Seconds of whole jobs beside the rate of matrix products in the same run, and peaks of fresh processes."""
    matrix = np.random.default_rng(0).random((MATRIX, MATRIX), np.float32)
    product = np.empty_like(matrix)
    contenders: dict[str, Callable[[], object]] = {
        "job": convert(brush, noise(512), noise(512, seed=1)),
        "matrix": lambda: np.matmul(matrix, matrix, out=product),
    }
    times = take_turns(contenders, ROUNDS)
    rate = 2 * MATRIX**3 / times["matrix"].best
    work = flops(512, brush.width, brush.key)
    reached = 100 * work / times["job"].best / rate
    log(f"brush at 512: {times['job']}, {number(work / 1e9)} GFLOP, {reached:.0f}% of {number(rate / 1e9)} GFLOP/s")
    section = Section("Speed and memory of the brush")
    section.bars = [
        Bar("brush at 512, whole job", times["job"].best, MOST_SECONDS, unit=" s"),
        Bar("brush at 512, of the matrix-product rate", reached, LEAST_RATE, at_least=True, unit=" %"),
    ]
    peaks = {}
    for size, limit in MEMORY.items():
        peaks[size] = peak_of_brush(size, weights)
        log(f"peak memory of the brush at {size}: {peaks[size] / MB:.0f} MB")
        section.bars.append(Bar(f"peak memory of the brush at {size}", peaks[size] / (1000 * MB), limit, unit=" GB"))
    memory = ", ".join(f"{value / MB:.0f} MB at {size}" for size, value in peaks.items())
    section.text = [
        f"One picture of 512 with a reference and a seed not used before: {times['job']}, {number(work / 1e9)} GFLOP, "
        f"{reached:.0f} % of the rate of matrix products ({number(rate / 1e9)} GFLOP/s).\n",
        f"Peak memory of a fresh process: {memory}.\n",
    ]
    return section


def flops(side: int, width: int, key: int) -> float:
    """Floating point operations of a picture of ``side`` squared, up to the base size, with a reference seen anew.

    Multiplying and adding count as two. Convolutions behind an enlargement count as they are computed, in 4/9.
    """
    one, two, three, four = CHANNELS
    eye = 9 * (3 * one + one * one) + 9 * (one * two + two * two) / 4 + 9 * (two * three + 2 * three**2) / 16
    eye += 9 * three * four / 64
    values, compared = 2 * sum(CHANNELS), two + three + four
    hand = 9 * four * width / 64 + (width + three) * width / 16 + (2 * 9 * width**2 + 9 * width * width / 2) / 16
    hand += 9 * (width / 2) ** 2 / 4 * 4 / 9 + 9 * width / 2 * width / 4 / 4
    hand += 9 * (width / 4) ** 2 * 4 / 9 + 9 * 3 * width / 4
    # Of what passes the coarser layers relu2_1 is seen anew; it is drawn as channels of four taps more.
    hand += 9 * (3 * one + one * one) + 9 * one * two / 4 + 4 * two * width / 2 / 4 + 4 * 12 * width / 4

    def level(framed: float, seen: float) -> float:
        """The photograph and the reference seen, of so many pixels, compared, and drawn."""
        ours, theirs = framed / 64, seen / 64
        attention = ours * theirs * (key + values) + compared * key * (ours + theirs)
        return eye * (framed + seen) + attention + hand * framed

    small = side / SMALLER
    sketch = level((small + 2 * SKETCH_FRAME) ** 2, small**2) + eye * small**2  # which is looked at itself
    return 2 * (sketch + level((side + 2 * MARGIN) ** 2, side**2))
