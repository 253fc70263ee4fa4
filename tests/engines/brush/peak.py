"""``python -m tests.engines.brush.peak SIDE`` draws once with the real decoder; prints bytes beyond loading."""

import sys
from pathlib import Path

from restyle.engines.base import Job, Style
from restyle.engines.brush.engine import Brush
from restyle.engines.brush.weights import Weights
from tests.support.brushes import random_tensors
from tests.support.pictures import picture


def most() -> int:
    """The most bytes this process ever had in memory."""
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) * 1024


def main() -> None:
    """Draw once."""
    side = int(sys.argv[1])
    brush = Brush(Weights(random_tensors(width=256)), 1)
    loaded = most()
    list(brush.convert(Job(picture(side, side), (Style(picture(64, 64)),), 1.0, (0,)), lambda fraction: None))
    print(most() - loaded)


if __name__ == "__main__":
    main()
