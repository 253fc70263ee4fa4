"""Pictures drawn in a process of their own, as a worker draws them, and how long each took.

``python -m benchmarks.drawing ENGINE SIDE STEPS COUNT STYLES`` prints seconds as JSON: ``load`` of the engine, its
imports included, and ``pictures``, of COUNT photographs one after the other, in turn in each of STYLES references.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.speed import noise
from benchmarks.timing import seconds
from restyle.conversion.draw import machine_of, resolve
from restyle.engines import environment
from restyle.engines.base import Engine, File, Inference, Job, Style
from restyle.engines.families import FAMILIES
from restyle.settings import Settings

STYLE_SIDE = 512
SEED = 1
PAINTER, NEIGHBOUR, DIFFUSION = "painter", "neighbour", "diffusion"
ENGINES = (PAINTER, NEIGHBOUR, DIFFUSION)
"""Diffusion draws with a tiny checkpoint of random weights, made on the spot."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """Seconds to load the engine, and of each picture."""

    load: float
    pictures: Sequence[float]


def drawn(engine: str, side: int, steps: int, count: int, styles: int = 1) -> Drawn:
    """Draw in a fresh process; ``steps`` mean nothing to the painter. Raises CalledProcessError where that fails."""
    command = [sys.executable, "-m", "benchmarks.drawing", engine, *map(str, (side, steps, count, styles))]
    return Drawn(**json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout))


def files(engine: str, folder: Path) -> tuple[File, ...]:
    """What the engine draws with: nothing, the weights of the cache folder, or a checkpoint made in ``folder``."""
    if engine == NEIGHBOUR:
        from benchmarks import vgg

        return (vgg.weights(),)
    if engine == DIFFUSION:
        from benchmarks.diffusion import tiny

        return (tiny(folder),)
    return ()


def draw(engine: Engine, job: Job) -> float:
    """Seconds of one picture."""
    return seconds(lambda: next(iter(engine.convert(job, lambda fraction: None))))


def main() -> None:
    """Draw, and print how long it took."""
    name, (side, steps, count, styles) = sys.argv[1], map(int, sys.argv[2:])
    environment.prepare()
    family = next(family for family in FAMILIES if family.name == name)
    with ExitStack() as stack:
        needed = files(name, Path(stack.enter_context(TemporaryDirectory())))
        engines: list[Engine] = []
        machine = machine_of(Settings(), own_process=True)
        load = seconds(lambda: engines.append(resolve(family.load)(machine)))
        references = [noise(STYLE_SIDE, seed=1000 + number) for number in range(styles)]
        jobs = [
            Job(
                raw=noise(side, seed=number),
                styles=(Style(references[number % styles]),),
                strength=0.7,
                seeds=(SEED,),
                inference=Inference(steps),
                files=needed,
            )
            for number in range(count)
        ]
        print(json.dumps({"load": load, "pictures": [draw(engines[0], job) for job in jobs]}))


if __name__ == "__main__":
    main()
