"""Try a main model on this machine: whether it works, how long it takes, what it needs, how it looks."""

import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image

from restyle.conversion.draw import Drawer, Drawing
from restyle.conversion.plan import Pictures, plan
from restyle.conversion.request import Conversion
from restyle.conversion.trial_pictures import hills, still_life, strokes, tiles
from restyle.images.pixels import Pixels
from restyle.images.sheet import strips
from restyle.settings import Settings
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError
from restyle.wire.ranges import SIDE

STRENGTHS = (0.25, 0.5, 1.0)
SEED = 1
LEAST = 0.95
"""Part of the difference from the raw image at one strength that must be left at the next."""
MIB = 1024 * 1024
SAMPLING_SECONDS = 0.05
SHOWN = ("Style route", "VAE", "Sampler", "Steps")
"""Of a picture's metadata."""


def trial(code: str, settings: Settings, out: Path) -> Mapping[str, Any]:
    """Draw two pictures at three strengths with the main model ``code``, at its native size and with its defaults.

    Writes ``sheet.png`` and the pictures into ``out``. Returns what was found, by name, in words and numbers. Raises
    RestyleError: 4004 for a model that cannot draw, 5101 where a picture does not repeat, or does not go further from
    the raw image with more strength.
    """
    drawer = Drawer(settings, own_process=True)
    side = native_side(drawer, code)
    out.mkdir(parents=True, exist_ok=True)
    rows, seconds, distances = [], [], []
    with peak_memory() as peak:
        for name, raw, style in (("still life", still_life(side), strokes(side)), ("hills", hills(side), tiles(side))):
            drawn = []
            for strength in STRENGTHS:
                started = time.perf_counter()
                drawing = _drawing(drawer, code, raw, style, strength)
                drawn.append(first(drawing))
                seconds.append(time.perf_counter() - started)
                Image.fromarray(drawn[-1]).save(out / f"{name.replace(' ', '-')}-{strength:g}.png")
            distances.append([float(np.abs(picture.astype(np.float32) - raw).mean()) for picture in drawn])
            rows.append([raw, style, *drawn])
        again = first(drawing)
    sheet = out / "sheet.png"
    strips(rows, names=("raw image", "style image", *(f"strength {strength:g}" for strength in STRENGTHS))).save(sheet)
    if not np.array_equal(again, drawn[-1]):
        raise RestyleError(Code.ENGINE_FAILED, f"{code} drew another picture when asked for the same again")
    if not all(_grow(row) for row in distances):
        raise RestyleError(
            Code.ENGINE_FAILED,
            f"{code} does not go further from the raw image with more strength: mean differences "
            f"{distances} at {list(STRENGTHS)}; see {sheet}",
        )
    return {
        "Device": getattr(drawing.engine, "place", "cpu"),
        "Size": f"{side} x {side}",
        **{name: drawing.description.parameters[name] for name in SHOWN if name in drawing.description.parameters},
        "First picture, with loading": f"{seconds[0]:.1f} s",
        "Picture": f"{min(seconds[1:]):.1f} s",
        "Peak memory": f"{peak() / MIB:.0f} MiB",
        "Difference from the raw image by strength": "; ".join(
            ", ".join(f"{strength:g}: {distance:.1f}" for strength, distance in zip(STRENGTHS, row, strict=True))
            for row in distances
        ),
        "Repeats exactly": "yes",
        "Sheet": str(sheet),
    }


def _drawing(drawer: Drawer, code: str, raw: Pixels, style: Pixels, strength: float) -> Drawing:
    height, width = raw.shape[:2]
    conversion = Conversion.read({"model": {"code": code}, "strength": strength, "seed": SEED})
    planned = plan(conversion, drawer.registry, Pictures("raw", "style", (width, height)))
    return drawer.drawing(planned, raw, (style,))


def native_side(drawer: Drawer, code: str) -> int:
    """Side in pixels that the main model ``code`` was trained at."""
    small = still_life(SIDE.minimum)
    return _drawing(drawer, code, small, small, 1.0).description.native or SIDE.default


def first(drawing: Drawing) -> Pixels:
    """The first image of a drawing."""
    return next(iter(drawing.images(lambda fraction: None)))[0]


def _grow(distances: list[float]) -> bool:
    """Whether each is larger than the one before, or at least no smaller where there is hardly further to go."""
    return distances[0] < distances[-1] and all(later > LEAST * earlier for earlier, later in pairwise(distances))


@contextmanager
def peak_memory() -> Iterator[Callable[[], int]]:
    """Yields a call that tells the most bytes taken inside the block: on the GPU where torch has one, else by this
    process.
    """
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        yield torch.cuda.max_memory_allocated
        return
    most, stop = _resident(), threading.Event()

    def watch() -> None:
        nonlocal most
        while not stop.wait(SAMPLING_SECONDS):
            most = max(most, _resident())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield lambda: most
    finally:
        stop.set()
        watcher.join()


def _resident() -> int:
    """Bytes that this process has in memory now."""
    return int(psutil.Process().memory_info().rss)
