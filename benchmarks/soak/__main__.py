"""``python -m benchmarks.soak``: what ``make soak`` runs. Ends with 1 where something was lost, doubled or off."""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.soak.faults import faults_of
from benchmarks.soak.lives import Lives, lives
from benchmarks.soak.load import Load, load
from benchmarks.soak.report import page
from benchmarks.soak.run import Account, soak
from benchmarks.soak.stage import Alone, Fleet
from tests.support.databases import postgres_bin

STAGES: dict[str, type[Alone] | type[Fleet]] = {"embedded": Alone, "fleet": Fleet}
UNFINISHED = 24
"""Tasks that an account may have under long load: the edge of saturation is where submissions are refused."""
Say = Callable[[str], None]


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--times", type=int, default=20, help="how often each fault; 0 for none (20)")
    parser.add_argument("--fault-minutes", type=float, default=None, help="begin no fault later than that, a back end")
    parser.add_argument("--minutes", type=float, default=30, help="of long load; 0 for none (30)")
    parser.add_argument("--lives", type=int, default=200, help="examples of the state machine; 0 for none (200)")
    parser.add_argument("--seed", type=int, default=None, help="of all chance; drawn and printed unless given")
    parser.add_argument("--back-end", choices=["both", *STAGES], default="both")
    parser.add_argument("--only", default="", help="only faults that have this in their name")
    parser.add_argument("--out", type=Path, default=Path("out/soak.md"), help="file for the tables (out/soak.md)")
    return parser.parse_args()


@contextmanager
def staged(name: str, **settings: Any) -> Iterator[Alone | Fleet]:
    """A stage that is open, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="restyle-soak-") as folder:
        Path(folder).chmod(0o755)
        stage = STAGES[name](Path(folder) / "stage", **settings)
        try:
            stage.open()
            yield stage
        finally:
            stage.close()


def main() -> int:
    asked = arguments()
    seed = random.randrange(1 << 31) if asked.seed is None else asked.seed
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:7.1f} s  {text}", flush=True)

    say(f"seed {seed}")
    names = [name for name in STAGES if asked.back_end in ("both", name)]
    if "fleet" in names and postgres_bin() is None:
        say("no PostgreSQL server programs here: the fleet is left out")
        names.remove("fleet")
    accounts: list[Account] = []
    loads: list[Load] = []
    living: list[Lives] = []
    for name in names:
        if asked.times:
            accounts.append(faults(name, asked, seed, say))
        if asked.minutes:
            loads.append(long_load(name, asked.minutes, seed, say))
        if asked.lives:
            living.append(lives(name, asked.lives, seed))
            say(f"{name}: {asked.lives} lives {living[-1].wrong or 'are as the model says'}")
        asked.out.parent.mkdir(parents=True, exist_ok=True)
        asked.out.write_text(page(accounts, loads, living), encoding="utf-8")
    print(asked.out.read_text(encoding="utf-8"))
    well = [*(each.well for each in accounts), *(each.well for each in loads), *(each.well for each in living)]
    return 0 if all(well) else 1


def faults(name: str, asked: argparse.Namespace, seed: int, say: Say) -> Account:
    """Every fault on one back end."""
    with staged(name) as stage:
        say(f"{name} is ready")
        until = None if asked.fault_minutes is None else time.monotonic() + 60 * asked.fault_minutes
        chosen = [each for each in faults_of(stage) if asked.only in each.name]
        found = soak(stage, chosen, asked.times, seed, say, until=until)
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


if __name__ == "__main__":
    sys.exit(main())
