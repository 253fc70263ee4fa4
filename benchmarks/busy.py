"""Engines that compute with torch, on idle cores and beside one busy process per core."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from benchmarks.drawing import DIFFUSION, NEIGHBOUR, drawn
from benchmarks.report import Bar, Section, table
from restyle.engines.processor import cores

SIDES = {NEIGHBOUR: 128, DIFFUSION: 256}
STEPS = {NEIGHBOUR: 10, DIFFUSION: 20}
MOST = 2.5
"""Two processes share a core, so twice the time is what an engine gets that loses nothing by waiting."""
PICTURES = 3
"""The first of a process also prepares; the best of the others counts."""
LOOP = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: pass"
"""Computes without end, and never longer than the measuring process lives."""


@contextmanager
def busy_cores() -> Iterator[None]:
    """One process per core that computes without end, at the usual priority."""
    processes = [subprocess.Popen([sys.executable, "-c", LOOP]) for _ in range(cores())]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def run(log: Callable[[str], None], *, side: int | None = None) -> Section:
    """The ratio of each engine; ``side`` instead of its own."""
    section = Section("Torch engines on busy cores")
    rows = []
    for engine, own in SIDES.items():
        size = side or own
        idle = min(drawn(engine, size, STEPS[engine], PICTURES).pictures[1:])
        with busy_cores():
            busy = min(drawn(engine, size, STEPS[engine], PICTURES).pictures[1:])
        log(f"{engine} at {size}: {idle:.2f} s idle, {busy:.2f} s busy")
        rows.append([engine, str(size), str(STEPS[engine]), f"{idle:.2f} s", f"{busy:.2f} s"])
        section.bars.append(Bar(f"{engine} beside one busy process per core / idle", busy / idle, MOST, unit="x"))
    text = f"Beside {cores()} processes that compute without end. Diffusion with a tiny checkpoint of random weights.\n"
    section.text = [text, table(["engine", "side", "steps", "idle", "busy"], rows)]
    return section
