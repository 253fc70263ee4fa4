"""``python -m benchmarks.soak``: what ``make soak`` runs. Ends with 1 where something was lost, doubled or off."""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.soak.report import page
from benchmarks.soak.run import Account, soak
from benchmarks.soak.stage import Alone, Fleet
from tests.support.databases import postgres_bin

STAGES: dict[str, type[Alone] | type[Fleet]] = {"embedded": Alone, "fleet": Fleet}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--times", type=int, default=20, help="how often each fault (20)")
    parser.add_argument("--fault-minutes", type=float, default=None, help="begin no fault later than that, a back end")
    parser.add_argument("--seed", type=int, default=None, help="of all chance; drawn and printed unless given")
    parser.add_argument("--back-end", choices=["both", *STAGES], default="both")
    parser.add_argument("--only", default="", help="only faults that have this in their name")
    parser.add_argument("--out", type=Path, default=Path("out/soak.md"), help="file for the tables (out/soak.md)")
    asked = parser.parse_args()
    seed = random.randrange(1 << 31) if asked.seed is None else asked.seed
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:7.1f} s  {text}", flush=True)

    say(f"seed {seed}")
    accounts: list[Account] = []
    for name, make in STAGES.items():
        if asked.back_end not in ("both", name):
            continue
        if name == "fleet" and postgres_bin() is None:
            say("no PostgreSQL server programs here: the fleet is left out")
            continue
        with tempfile.TemporaryDirectory(prefix="restyle-soak-") as folder:
            Path(folder).chmod(0o755)
            stage = make(Path(folder) / "stage")
            try:
                stage.open()
                say(f"{name} is ready")
                until = None if asked.fault_minutes is None else time.monotonic() + 60 * asked.fault_minutes
                accounts.append(soak(stage, asked.times, seed, say, until=until, only=asked.only))
            finally:
                stage.close()
        for text in accounts[-1].wrong:
            say(text)
    text = page(accounts)
    print(text)
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(text, encoding="utf-8")
    return 0 if all(account.well for account in accounts) else 1


if __name__ == "__main__":
    sys.exit(main())
