"""``python -m benchmarks.brush_memory SIZE [FILE]``: peak bytes of a process that draws once with the brush.

The process holds what a worker holds, and nothing of the other benchmarks; the weights are those that ship, or those
of a file.
"""

import subprocess
import sys
from pathlib import Path

import numpy as np

import restyle.queue.worker  # noqa: F401 - what every worker has imported
from benchmarks.memory import peak
from restyle.conversion.draw import machine_of
from restyle.engines.base import Job, Style
from restyle.engines.brush.engine import Brush, load
from restyle.engines.brush.weights import read_weights
from restyle.settings import Settings

REFERENCE = 512


def engine(weights: Path | None) -> Brush:
    """The brush with the weights that ship, or with those of a file. Raises RestyleError (5101)."""
    machine = machine_of(Settings(), own_process=True)
    return Brush(read_weights(weights, sha256=""), machine.threads) if weights else load(machine)


def peak_of_brush(size: int, weights: Path | None) -> int:
    """Peak bytes of a fresh process that loads the brush and draws one picture of ``size`` squared."""
    command = [sys.executable, "-m", "benchmarks.brush_memory", str(size), *([str(weights)] if weights else [])]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    """Draw once, print the peak in bytes."""
    brush = engine(Path(sys.argv[2]) if len(sys.argv) > 2 else None)
    random = np.random.default_rng(0)
    raw, style = (random.integers(0, 256, (side, side, 3), np.uint8) for side in (int(sys.argv[1]), REFERENCE))
    for _ in brush.convert(Job(raw=raw, styles=(Style(style),), strength=1.0, seeds=(1,)), lambda fraction: None):
        pass
    print(peak())


if __name__ == "__main__":
    main()
