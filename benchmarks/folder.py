"""The first picture of a process beside later ones, and a folder in one style beside single pictures in many."""

from collections.abc import Callable

from benchmarks.drawing import DIFFUSION, NEIGHBOUR, PAINTER, Drawn, drawn
from benchmarks.report import Bar, Section, table

SIDES = {PAINTER: 512, NEIGHBOUR: 256, DIFFUSION: 256}
STEPS = {PAINTER: 10, NEIGHBOUR: 10, DIFFUSION: 20}
FOLDER = 50
SINGLE = 10
"""Pictures, each in a style of its own, that say how long a single call takes in a warm process."""
FIRST_MOST = 2.0
FOLDER_MOST = 0.8


def run(log: Callable[[str], None], *, side: int | None = None, count: int | None = None) -> Section:
    """Both bars for each engine; ``side`` and ``count`` of photographs instead of its own."""
    section = Section("First pictures, and folders in one style")
    rows = []
    for engine, own in SIDES.items():
        size, pictures = side or own, count or FOLDER
        singles = min(SINGLE, pictures)
        single = drawn(engine, size, STEPS[engine], 1 + singles, styles=1 + singles)
        folder = drawn(engine, size, STEPS[engine], 1 + pictures)
        later, each = (_mean(found) for found in (single, folder))
        first = single.pictures[0]
        told = {"loading": single.load, "first": first, "single": later, "each": each}
        log(f"{engine} at {size}: " + ", ".join(f"{name} {value:.2f} s" for name, value in told.items()))
        rows.append([engine, str(size), *(f"{value:.2f} s" for value in told.values())])
        section.bars.append(
            Bar(f"{engine}: first picture after loading / a later one", first / later, FIRST_MOST, unit="x")
        )
        title = f"{engine}: each of {pictures} photographs in one style / a single call"
        section.bars.append(Bar(title, each / later, FOLDER_MOST, unit="x"))
    text = "Loading holds imports and compiling. A single call is of a warm process, in a style of its own.\n"
    head = ["engine", "side", "loading", "first picture", "a single call", "each of a folder"]
    section.text = [text, table(head, rows)]
    return section


def _mean(found: Drawn) -> float:
    """Seconds of a picture after the first."""
    return sum(found.pictures[1:]) / (len(found.pictures) - 1)
