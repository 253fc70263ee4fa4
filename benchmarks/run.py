"""The whole benchmark, or a part of it: what ``make bench`` runs."""

import os
import tempfile
from collections.abc import Callable, Collection
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path

from benchmarks import brush as brushes
from benchmarks import (
    brush_memory,
    busy,
    costs,
    folder,
    metrics,
    pictures,
    protocol,
    report,
    service,
    speed,
    studio,
    vgg,
)
from restyle.conversion.draw import machine_of
from restyle.engines.base import Engine
from restyle.engines.painter.engine import load
from restyle.settings import Settings

EVALUATION = "RESTYLE_BENCH_EVAL"


class Part(StrEnum):
    """What can be measured on its own."""

    QUALITY = "quality"
    SPEED = "speed"
    SERVICE = "service"
    COSTS = "costs"
    DIFFUSION = "diffusion"
    BUSY = "busy"
    FOLDER = "folder"
    NEIGHBOUR = "neighbour"
    BRUSH = "brush"
    STUDIO = "studio"


USUAL = tuple(part for part in Part if part not in (Part.NEIGHBOUR, Part.STUDIO))
"""What is measured unless told: the neighbour takes an hour and a half, and the Studio needs a browser."""
WITH_TORCH = {
    Part.DIFFUSION: "diffusion",
    Part.BUSY: "diffusion,neighbour",
    Part.FOLDER: "diffusion,neighbour",
    Part.NEIGHBOUR: "neighbour",
}
"""Parts and the extras they need."""


def run(
    out: Path,
    *,
    evaluation: Path | None = None,
    full: bool = False,
    pairs: int | None = None,
    side: int | None = None,
    count: int | None = None,
    brush: Path | None = None,
    parts: Collection[Part] = USUAL,
    log: Callable[[str], None] = print,
) -> bool:
    """Measure, write ``out/table.md`` (and sheets and results beside it), and say whether every bar is met.

    ``evaluation``: folder with ``content/``, ``style/`` and perhaps ``peers/<method>/``; else what
    ``RESTYLE_BENCH_EVAL`` names; else pictures that come with scikit-image and the repository. ``full``: every
    photograph with every artwork. ``pairs``: so many of the pairs for the neighbour and the brush, by default all.
    ``brush``: the file with the brush's weights, by default the one that ships. ``side`` and ``count`` of photographs
    of the parts BUSY and FOLDER instead of their own. Raises ValueError where pictures, libraries or weights are
    missing.
    """
    named = os.environ.get(EVALUATION)
    for part in parts:  # what may be missing is missed before minutes of measuring
        if part in WITH_TORCH and find_spec("torch") is None:
            raise ValueError(f"{part} needs torch; install it with: pip install 'restyle[{WITH_TORCH[part]}]'")
    if {Part.QUALITY, Part.NEIGHBOUR, Part.BRUSH} & set(parts):
        gallery = pictures.gallery(evaluation or (Path(named) if named else None))
        scorer = metrics.Scorer(vgg.load(), folder=vgg.cache_dir() / "features")
    if Part.STUDIO in parts and (studio.chromium() is None or find_spec("playwright") is None):
        raise ValueError(
            "studio needs Playwright and Chromium; install them with: pip install playwright, and "
            "apt-get install chromium"
        )
    engine = load(machine_of(Settings(), own_process=True))
    sections = []
    if Part.SPEED in parts:
        sections.append(speed.run(engine, log))
    if Part.SERVICE in parts:
        sections.append(service.run(engine, log))
    if Part.QUALITY in parts:
        sections.append(protocol.run(gallery, engine, scorer, out, full=full, log=log))
    if Part.COSTS in parts:
        sections.append(costs.run(log))
    if Part.DIFFUSION in parts:
        sections.append(_diffusion())
    if Part.BUSY in parts:
        sections.append(busy.run(log, side=side))
    if Part.FOLDER in parts:
        sections.append(folder.run(log, side=side, count=count))
    if Part.NEIGHBOUR in parts:
        sections += _neighbour(gallery, engine, scorer, out, pairs, log)
    if Part.BRUSH in parts:
        ours = brush_memory.engine(brush)
        network = vgg.load()
        sections.append(brushes.quality(gallery, ours, engine, scorer, network, out, count=pairs, log=log))
        sections.append(brushes.speed(ours, brush, log))
    if Part.STUDIO in parts:
        sections.append(studio.run(log))
    report.write(out / "table.md", sections)
    log(f"written: {out / 'table.md'}")
    bars = [bar for section in sections for bar in section.bars]
    for bar in bars:
        log("  ".join(bar.row()))
    return all(bar.met for bar in bars)


def _diffusion() -> report.Section:
    from benchmarks import diffusion
    from restyle.engines.diffusion.engine import Diffusion

    with tempfile.TemporaryDirectory() as temporary:
        engine = Diffusion(machine_of(Settings(diffusion_device="cpu"), own_process=True))
        return diffusion.run(engine, diffusion.tiny(Path(temporary)))


def _neighbour(
    gallery: pictures.Gallery,
    painter: Engine,
    scorer: metrics.Scorer,
    out: Path,
    pairs: int | None,
    log: Callable[[str], None],
) -> list[report.Section]:
    from benchmarks import curves, neighbour
    from restyle.engines.neighbour.engine import load as load_neighbour

    network = vgg.load()
    engine = load_neighbour(machine_of(Settings(), own_process=True))
    return [
        curves.run(gallery, engine, painter, scorer, network, out, count=pairs, log=log),
        neighbour.run(engine, log),
    ]
