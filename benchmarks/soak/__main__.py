"""``python -m benchmarks.soak``: what ``make soak`` runs. Ends with 1 where something was lost, doubled or off."""

import argparse
import random
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

from benchmarks.soak.lives import lives
from benchmarks.soak.parts import STAGES, Say, faults, long_load, speaker
from benchmarks.soak.report import Found, read
from tests.support.databases import postgres_bin


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--times", type=int, default=20, help="how often each fault; 0 for none (20)")
    parser.add_argument("--fault-minutes", type=float, default=None, help="begin no fault later than that, a back end")
    parser.add_argument("--minutes", type=float, default=30, help="of long load; 0 for none (30)")
    parser.add_argument("--lives", type=int, default=200, help="examples of the state machine; 0 for none (200)")
    parser.add_argument("--at-once", type=int, default=2, help="runs of faults beside each other, each with a seed (2)")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 31), help="of all chance; drawn unless given")
    parser.add_argument("--back-end", choices=["both", *STAGES], default="both")
    parser.add_argument("--only", default="", help="only faults that have this in their name")
    parser.add_argument("--out", type=Path, default=Path("out/soak.md"), help="file for the tables (out/soak.md)")
    parser.add_argument("--logs", type=Path, default=None, help="keep there what the processes of the faults wrote")
    parser.add_argument("--join", type=Path, nargs="+", help="run nothing: add up what runs left in these .json files")
    return parser.parse_args()


def main() -> int:
    asked = arguments()
    found = read(asked.join) if asked.join else run(asked, speaker(asked.seed))
    found.write(asked.out)
    print(asked.out.read_text(encoding="utf-8"))
    return 0 if found.well else 1


def run(asked: argparse.Namespace, say: Say) -> Found:
    """What is asked for. Runs of faults go beside each other; load and lives have the machine for themselves."""
    names = [name for name in STAGES if asked.back_end in ("both", name)]
    if "fleet" in names and postgres_bin() is None:
        say("no PostgreSQL server programs here: the fleet is left out")
        names.remove("fleet")
    found = Found()
    if asked.times:
        with ProcessPoolExecutor(asked.at_once, get_context("spawn")) as pool:
            runs = [pool.submit(faults, name, asked, *share) for name in names for share in shares(asked, len(names))]
            for each in as_completed(runs):
                if each.exception() is None:
                    found.accounts.append(each.result())
                    found.write(asked.out)
            for each in runs:
                each.result()
        found.accounts.sort(key=lambda account: (names.index(account.stage), account.seeds))
    for name in names:
        if asked.minutes:
            found.loads.append(long_load(name, asked.minutes, asked.seed, say))
            found.write(asked.out)
        if asked.lives:
            found.lives.append(lives(name, asked.lives, asked.seed))
            say(f"{name}: {asked.lives} lives {found.lives[-1].wrong or 'are as the model says'}")
            found.write(asked.out)
    return found


def shares(asked: argparse.Namespace, back_ends: int) -> list[tuple[int, int]]:
    """The runs that a back end's faults are shared among: how often each fault, and the seed."""
    runs = min(max(1, asked.at_once // max(1, back_ends)), asked.times)
    return [((asked.times + runs - 1 - number) // runs, asked.seed + number) for number in range(runs)]


if __name__ == "__main__":
    sys.exit(main())
