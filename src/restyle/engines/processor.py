"""What the processor is good at, as far as the choice of precision depends on it."""

from pathlib import Path


def has_bfloat16_tiles() -> bool:
    """Whether it has matrix tiles for bfloat16 (AMX). Without them bfloat16 is no faster than float32, or slower.

    Told by the processor and not by a timing, so that one machine always draws the same pixels.
    """
    try:
        return " amx_bf16" in Path("/proc/cpuinfo").read_text()
    except OSError:  # not Linux
        return False
