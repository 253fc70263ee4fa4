"""How much of the machine a picture may take while it is looked at."""

import math
import resource
from pathlib import Path

from restyle.images.structure.frame import MIB, Frame

PIXELS_PER_SHARE = 20_000_000
"""Pixels for which a picture has as much time again. The slowest format, AVIF with opacity, takes a second for them."""
SPARE_BYTES = 64 * MIB
"""Memory beside the file and what its frame takes: texts, profiles, tables of the file's structure."""
COPIES = 3
"""How often a file is held: as it came, as it is read from, and in pieces."""
LARGE_BYTES = 192 * MIB
"""What decoding an ordinary picture takes at most. Of the larger ones, no two are looked at at once."""
STATM = Path("/proc/self/statm")
DATA_PAGES = 5
"""Which number of that file is the one that RLIMIT_DATA bounds."""


def seconds(base: float, pixels: int) -> float:
    """Processor seconds for a picture, where one without pixels has ``base``."""
    return base * (1 + pixels / PIXELS_PER_SHARE)


class Share:
    """What this process may take from now on for a file of ``size`` bytes. Past it, allocations fail, or the kernel
    ends the process.

    Memory is bounded on Linux alone; elsewhere no kernel bounds what a process allocates.
    """

    def __init__(self, size: int, base_seconds: float) -> None:
        self._base_seconds = base_seconds
        self._used = _processor_seconds()
        self._bytes = _own_bytes() + COPIES * size + SPARE_BYTES
        self._restrict(0, 0)

    def grow(self, frame: Frame, more: int = 0) -> None:
        """Take what decoding ``frame`` needs as well, and ``more`` bytes."""
        self._restrict(frame.width * frame.height, frame.scratch + more)

    def _restrict(self, pixels: int, scratch: int) -> None:
        if STATM.exists():
            _, hard = resource.getrlimit(resource.RLIMIT_DATA)
            resource.setrlimit(resource.RLIMIT_DATA, (self._bytes + scratch, hard))
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        last = math.ceil(self._used + seconds(self._base_seconds, pixels))
        resource.setrlimit(resource.RLIMIT_CPU, (last, hard))


def _own_bytes() -> int:
    if not STATM.exists():
        return 0
    return int(STATM.read_text().split()[DATA_PAGES]) * resource.getpagesize()


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
