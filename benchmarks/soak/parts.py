"""The parts of a run: faults and long load on a stage of their own."""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.soak.account import Account
from benchmarks.soak.faults import faults_of
from benchmarks.soak.load import Load, load
from benchmarks.soak.run import soak
from benchmarks.soak.stage import Alone, Fleet

STAGES: dict[str, type[Alone] | type[Fleet]] = {"embedded": Alone, "fleet": Fleet}
UNFINISHED = 24
"""Tasks that an account may have under long load: the edge of saturation is where submissions are refused."""
Say = Callable[[str], None]


def speaker(name: object) -> Say:
    """Says what happens and when, counted from now, and whose word it is."""
    began = time.monotonic()
    return lambda text: print(f"{time.monotonic() - began:7.1f} s  {name}: {text}", flush=True)


@contextmanager
def staged(name: str, logs: Path | None = None, **settings: Any) -> Iterator[Alone | Fleet]:
    """A stage that is open, gone afterwards but for what its processes have written, where ``logs`` is to have it."""
    with tempfile.TemporaryDirectory(prefix="restyle-soak-") as folder:
        Path(folder).chmod(0o755)
        stage = STAGES[name](Path(folder) / "stage", **settings)
        try:
            stage.open()
            yield stage
        finally:
            if logs is not None:
                stage.keep_logs(logs)
            stage.close()


def faults(name: str, asked: argparse.Namespace, times: int, seed: int) -> Account:
    """Every fault so many times on one back end."""
    say = speaker(f"{name} {seed}")
    with staged(name, asked.logs and asked.logs / f"{name}-{seed}") as stage:
        say("ready")
        until = None if asked.fault_minutes is None else time.monotonic() + 60 * asked.fault_minutes
        chosen = [each for each in faults_of(stage) if asked.only in each.name]
        found = soak(stage, chosen, times, seed, say, until=until)
    for text in found.wrong:
        say(text)
    return found


def long_load(name: str, minutes: float, seed: int, say: Say) -> Load:
    """Mixed traffic on one back end."""
    with staged(name, small_disk=False, max_unfinished_tasks=UNFINISHED) as stage:
        say(f"{name} is ready for load")
        found = load(stage, minutes, seed, say)
    for text in found.wrong:
        say(text)
    return found
