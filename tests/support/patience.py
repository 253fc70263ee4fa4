"""How long tests wait for what must come: long, since a machine that is busy is slow."""

import time
from typing import Any

PATIENCE = 240
"""Seconds after which a test gives up. No measure of anything: what a test says of time, it says by order or outcome,
with settings far below (what must happen soon) or above (what must not happen by itself) what a busy machine needs."""
NEVER = 10 * PATIENCE
"""Seconds of what must not come to its end by itself while a test waits: a test that passes cut it short."""


def wait_for(holds: Any, otherwise: Any = lambda: "waited in vain") -> None:
    """Return once ``holds()`` is true; fail with what ``otherwise()`` says where that takes longer than patience.

    Looks often at first and then less, so that what is waited for has the processor.
    """
    end = time.monotonic() + PATIENCE
    pause = 0.005
    while not holds():
        assert time.monotonic() < end, otherwise()
        time.sleep(pause)
        pause = min(1.2 * pause, 0.1)
