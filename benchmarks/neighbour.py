"""How long the neighbour takes, and how much memory: ``python -m benchmarks.neighbour SIZE STEPS`` prints a peak."""

import subprocess
import sys
from collections.abc import Callable
from functools import partial

import torch

from benchmarks import vgg
from benchmarks.memory import MB, peak
from benchmarks.report import Bar, Section, table
from benchmarks.speed import noise
from benchmarks.timing import seconds
from restyle.conversion.draw import machine_of
from restyle.engines.base import Engine, Inference, Job, Style
from restyle.engines.neighbour.engine import load
from restyle.engines.neighbour.family import FAMILY
from restyle.engines.neighbour.levels import levels
from restyle.engines.neighbour.reference import MATCHED, MEASURED
from restyle.engines.neighbour.vgg import VGG16
from restyle.engines.neighbour.weights import CONVOLUTIONS, read_weights
from restyle.settings import Settings

USUAL_STEPS = int(FAMILY.defaults["Steps"])
SIZES = (256, 512, 1024)
STEPS = (10, 20, 100)
MOST_PASSES = 6.0
"""The time of a picture at 512, in bare passes of the network forward and back that it needs."""
MEMORY = {512: 3.0, 2560: 6.0}
"""Side -> GB at most."""


def run(engine: Engine, log: Callable[[str], None]) -> Section:
    """Seconds at each size and number of steps, the ratio to bare passes, and peak memory in fresh processes."""
    section = Section("Speed and memory of the neighbour")
    rows = []
    for size in SIZES:
        cells = [str(size)]
        for steps in STEPS:
            taken = seconds(partial(_draw, engine, size, steps))
            log(f"neighbour at {size}, {steps} steps: {taken:.1f} s")
            cells.append(f"{taken:.1f} s")
            if (size, steps) == (512, USUAL_STEPS):
                bare = bare_passes(size, steps)
                log(f"bare passes of the network: {bare:.1f} s")
                title = "neighbour at 512, beside the bare passes of VGG16 it needs"
                section.bars.append(Bar(title, taken / bare, MOST_PASSES, unit="x"))
        rows.append(cells)
    used = {}
    for size, limit in MEMORY.items():
        used[size] = peak_of_neighbour(size, USUAL_STEPS)
        log(f"peak memory at {size}, {USUAL_STEPS} steps: {used[size] / MB:.0f} MB")
        title = f"peak memory of the neighbour at {size}, {USUAL_STEPS} steps"
        section.bars.append(Bar(title, used[size] / (1000 * MB), limit, unit=" GB"))
    text = "One picture at strength 1 with a reference of 512 x 512, once each, so loads beside it count.\n"
    peaks = ", ".join(f"{value / MB:.0f} MB at {size}" for size, value in used.items())
    head = ["side", *(f"{steps} steps" for steps in STEPS)]
    section.text = [text, table(head, rows), f"Peak memory of a fresh process: {peaks}.\n"]
    return section


def bare_passes(size: int, steps: int) -> float:
    """Seconds of the network alone, forward and back, once for each update of a picture of ``size`` squared."""
    network = VGG16(read_weights(vgg.weights().path, CONVOLUTIONS.index("4_1") + 1), torch.device("cpu"))
    total = 0.0
    for level in levels(size, size, steps):
        picture = torch.rand(1, 3, level.height, level.width).requires_grad_(True)

        def both(picture: torch.Tensor = picture) -> None:
            maps = network(picture, {*MATCHED, *MEASURED})
            torch.autograd.backward(maps["4_1"].sum())

        both()
        total += level.updates * min(seconds(both) for _ in range(2))
    return total


def peak_of_neighbour(size: int, steps: int) -> int:
    """Peak bytes of a fresh process that loads the engine and draws one picture of ``size`` squared."""
    command = [sys.executable, "-m", "benchmarks.neighbour", str(size), str(steps)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _draw(engine: Engine, size: int, steps: int) -> None:
    styles = (Style(noise(512, seed=1)),)
    job = Job(noise(size), styles, 1.0, (0,), inference=Inference(steps=steps), files=(vgg.weights(),))
    next(iter(engine.convert(job, lambda fraction: None)))


def main() -> None:
    """Draw once, print the peak in bytes."""
    _draw(load(machine_of(Settings(), own_process=True)), int(sys.argv[1]), int(sys.argv[2]))
    print(peak())


if __name__ == "__main__":
    main()
