"""What the processor offers: how many cores to this process, and whether matrix tiles."""

import math
import os
from pathlib import Path

CONTROL_GROUPS = Path("/sys/fs/cgroup")


def cores() -> int:
    """How many cores this process may keep busy: those it may run on, within the time that its container has."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        entries = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:  # not Linux
        return allowed
    own = next((entry.removeprefix("0::/") for entry in entries if entry.startswith("0::/")), "")
    return max(1, math.ceil(min(allowed, quota(CONTROL_GROUPS, own))))


def quota(groups: Path, own: str) -> float:
    """Cores' worth of time that the control group ``own`` and those around it have, by version 2 of the kernel's tree.

    Infinite where nobody set a limit.
    """
    least = math.inf
    for folder in (groups / own, *(groups / own).parents):
        if not folder.is_relative_to(groups):
            break
        try:
            time, period = (folder / "cpu.max").read_text().split()
        except OSError:  # the root of the tree has none, nor has one without this controller
            continue
        if time != "max":
            least = min(least, int(time) / int(period))
    return least


def has_bfloat16_tiles() -> bool:
    """Whether it has matrix tiles for bfloat16 (AMX). Without them bfloat16 is no faster than float32, or slower.

    Told by the processor and not by a timing, so that one machine always draws the same pixels.
    """
    try:
        return " amx_bf16" in Path("/proc/cpuinfo").read_text()
    except OSError:  # not Linux
        return False
