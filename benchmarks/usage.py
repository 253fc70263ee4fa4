"""Processor time of running programs, by what they are, as the kernel counts it."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

TICKS = os.sysconf("SC_CLK_TCK")
PARTS = {"restyle.queue.worker": "drawing", "restyle.images.checking.checker": "checkers"}
"""What a process of a service is, by a word of its command line."""

Usage = Mapping[str, float]
"""Seconds of processor time by part."""


def used(roots: Mapping[int, str]) -> dict[str, float]:
    """Seconds that the processes in ``roots``, by pid with what each is, and all below them have used so far.

    Processes that ended count where whoever started them has taken note of it, as PostgreSQL does.
    """
    found: dict[str, float] = {}
    for pid, part in roots.items():
        for each, seconds in _tree(pid):
            name = next((name for word, name in PARTS.items() if word in each), part)
            found[name] = found.get(name, 0.0) + seconds
    return found


def less(later: Usage, earlier: Usage) -> dict[str, float]:
    """What was used between two looks."""
    return {part: seconds - earlier.get(part, 0.0) for part, seconds in later.items()}


def _tree(pid: int) -> Iterator[tuple[str, float]]:
    root = psutil.Process(pid)
    for process in (root, *root.children(recursive=True)):
        try:
            numbers = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
            yield " ".join(process.cmdline()), sum(int(number) for number in numbers[11:15]) / TICKS
        except (psutil.NoSuchProcess, FileNotFoundError):  # ended at this moment: its parent has counted it
            continue
