"""Try a registered checkpoint on this machine: whether it works, how long it takes, what it needs, how it looks."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from PIL import Image, ImageDraw, ImageFilter

from restyle.engines.base import Inference, Job, Pixels
from restyle.engines.diffusion.engine import Diffusion, load
from restyle.engines.diffusion.recipe import native_side
from restyle.models.catalogue import Catalogue, Entry
from restyle.settings import Settings
from restyle.sheet import strips
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

STRENGTHS = (0.25, 0.5, 1.0)
SEED = 1
LEAST = 0.95
"""Part of the difference from the raw image at one strength that must be left at the next."""
MIB = 1024 * 1024
SAMPLING_SECONDS = 0.05


def verify(entry: Entry, catalogue: Catalogue, settings: Settings, out: Path) -> Mapping[str, Any]:
    """Draw two pictures at three strengths with the main model ``entry``, at its native size and with its defaults.

    Writes ``sheet.png`` and the pictures into ``out``. Returns what was found, by name, in words and numbers. Raises
    RestyleError (5101) where a picture does not repeat, or does not go further from the raw image with more strength.
    """
    engine = load(settings)
    side = native_side(entry)
    wanted = {"steps": "Steps", "sampler": "Sampler", "clip_skip": "ClipSkip", "cfg_scale": "CFGScale"}
    inference = Inference(**{name: entry.defaults[key] for name, key in wanted.items() if key in entry.defaults})
    out.mkdir(parents=True, exist_ok=True)
    rows, seconds, distances = [], [], []
    with _memory(engine) as peak:
        for name, raw, style in (("still life", still_life(side), strokes(side)), ("hills", hills(side), tiles(side))):
            drawn = []
            for strength in STRENGTHS:
                job = Job(raw, style, strength, (SEED,), model=entry.code, inference=inference)
                started = time.perf_counter()
                drawn.append(_draw(engine, job))
                seconds.append(time.perf_counter() - started)
                Image.fromarray(drawn[-1]).save(out / f"{name.replace(' ', '-')}-{strength:g}.png")
            distances.append([float(np.abs(picture.astype(np.float32) - raw).mean()) for picture in drawn])
            rows.append([raw, style, *drawn])
        again = _draw(engine, job)
    sheet = out / "sheet.png"
    strips(rows, names=("raw image", "style image", *(f"strength {strength:g}" for strength in STRENGTHS))).save(sheet)
    if not np.array_equal(again, drawn[-1]):
        raise RestyleError(Code.ENGINE_FAILED, f"{entry.code} drew another picture when asked for the same again")
    if not all(_grow(row) for row in distances):
        raise RestyleError(
            Code.ENGINE_FAILED,
            f"{entry.code} does not go further from the raw image with more strength: mean differences "
            f"{distances} at {list(STRENGTHS)}; see {sheet}",
        )
    description = engine.describe(job)
    return {
        "Device": engine.place,
        "Size": f"{side} x {side}",
        **{
            str(key): value for key, value in description.parameters.items() if key in ("Style route", "VAE", "Sampler")
        },
        "Steps": inference.steps,
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


def _grow(distances: list[float]) -> bool:
    """Whether each is larger than the one before, or at least no smaller where there is hardly further to go."""
    return distances[0] < distances[-1] and all(later > LEAST * earlier for earlier, later in pairwise(distances))


def _draw(engine: Diffusion, job: Job) -> Pixels:
    return next(iter(engine.convert(job, lambda fraction: None)))


@contextmanager
def _memory(engine: Diffusion) -> Iterator[Any]:
    """Yields a call that tells the most bytes taken inside the block: on the GPU, or by this process."""
    if engine.place.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(engine.place)
        yield lambda: torch.cuda.max_memory_allocated(engine.place)
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


def still_life(side: int) -> Pixels:
    """A bowl, fruit and a window, drawn flat and softened."""
    image = Image.new("RGB", (side, side), (196, 186, 170))
    draw = ImageDraw.Draw(image)
    part = side / 64

    def box(*corners: float) -> tuple[float, float, float, float]:
        left, top, right, bottom = (corner * part for corner in corners)
        return left, top, right, bottom

    draw.rectangle(box(0, 44, 64, 64), fill=(122, 84, 58))
    draw.rectangle(box(6, 6, 24, 28), fill=(150, 190, 220), outline=(240, 240, 235), width=max(1, round(part)))
    draw.line(box(15, 6, 15, 28), fill=(240, 240, 235), width=max(1, round(part)))
    for left, top, colour in ((28, 34, (178, 40, 36)), (38, 32, (214, 140, 30)), (46, 35, (96, 140, 52))):
        draw.ellipse(box(left, top, left + 12, top + 12), fill=colour)
        draw.ellipse(box(left + 2, top + 2, left + 5, top + 5), fill=(250, 240, 225))
    draw.chord(box(24, 30, 62, 58), 0, 180, fill=(70, 92, 130))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(part / 3)))


def hills(side: int) -> Pixels:
    """Three ridges under an evening sky."""
    down, across = np.mgrid[0:side, 0:side] / side
    picture = np.stack([250 - 90 * down, 170 - 30 * down, 120 + 80 * down], axis=-1)
    for level, colour in ((0.45, (110, 110, 140)), (0.6, (70, 92, 80)), (0.78, (36, 52, 40))):
        ridge = level + 0.07 * np.sin(9 * across + 20 * level) + 0.02 * np.sin(31 * across + 9 * level)
        picture[down > ridge] = colour
    return picture.clip(0, 255).astype(np.uint8)


def strokes(side: int) -> Pixels:
    """A reference of short bright strokes, wider than high."""
    rng = np.random.default_rng(5)
    image = Image.new("RGB", (side * 3 // 2, side), (20, 40, 90))
    draw = ImageDraw.Draw(image)
    colours = ((240, 200, 60), (40, 90, 170), (120, 170, 210), (230, 120, 40), (250, 240, 210))
    for _ in range(1200):
        x, y = rng.uniform(0, image.width), rng.uniform(0, side)
        slope, length = np.sin(x / side * 5) + np.cos(y / side * 4), side / 18
        end = (x + length * np.cos(slope), y + length * np.sin(slope))
        draw.line((x, y, *end), fill=colours[rng.integers(len(colours))], width=max(1, side // 90))
    return np.asarray(image)


def tiles(side: int) -> Pixels:
    """A reference of flat triangles with dark joints."""
    rng = np.random.default_rng(6)
    image = Image.new("RGB", (side, side), (30, 26, 30))
    draw = ImageDraw.Draw(image)
    colours = ((190, 60, 50), (220, 180, 90), (60, 110, 110), (235, 225, 200))
    step, joint = side / 8, side / 160
    for row in range(8):
        for column in range(8):
            x, y = column * step, row * step
            for corners in (
                ((x, y), (x + step, y), (x, y + step)),
                ((x + step, y + step), (x + step, y), (x, y + step)),
            ):
                middle = np.mean(corners, axis=0)
                inner = [tuple(np.asarray(corner) + (middle - corner) * joint * 3 / step) for corner in corners]
                draw.polygon([(float(a), float(b)) for a, b in inner], fill=colours[rng.integers(len(colours))])
    return np.asarray(image)
