"""What a run found, as Markdown."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter

from benchmarks.report import machine, table
from benchmarks.soak.account import Account, added_up
from benchmarks.soak.lives import Lives
from benchmarks.soak.load import Load
from benchmarks.soak.run import middle


@dataclass(slots=True)
class Found:
    """All of one run, or of several."""

    accounts: list[Account] = field(default_factory=list)
    loads: list[Load] = field(default_factory=list)
    lives: list[Lives] = field(default_factory=list)

    @property
    def well(self) -> bool:
        """Whether nothing was lost, doubled or off, and all bars are met."""
        wells = [each.well for each in self.accounts]
        return all(wells + [each.well for each in self.loads] + [each.well for each in self.lives])

    def add(self, other: "Found") -> None:
        self.accounts += other.accounts
        self.loads += other.loads
        self.lives += other.lives

    def write(self, file: Path) -> None:
        """The page into ``file``, and the same as data beside it, to be added to what other runs find."""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(page(self), encoding="utf-8")
        file.with_suffix(".json").write_bytes(DATA.dump_json(self, indent=1))


DATA = TypeAdapter(Found)


def read(files: Sequence[Path]) -> Found:
    """What several runs found, of the data that :meth:`Found.write` left."""
    whole = Found()
    for file in files:
        whole.add(DATA.validate_json(file.read_bytes()))
    return whole


SUMS: tuple[tuple[str, Callable[[Account], object]], ...] = (
    ("seeds", lambda each: ", ".join(map(str, each.seeds))),
    ("minutes", lambda each: f"{each.seconds / 60:.0f}"),
    ("faults injected", lambda each: each.faults),
    ("tasks accepted", lambda each: each.accepted),
    ("ended well", lambda each: each.finished),
    ("ended in an error that was asked for", lambda each: each.failed),
    ("pictures fetched and decoded", lambda each: each.pictures),
    ("lost", lambda each: each.lost),
    ("doubled", lambda each: each.doubled),
    ("credits off", lambda each: each.credits_off),
    ("half or wrong pictures served", lambda each: each.broken),
    ("orphans after the sweep", lambda each: each.orphans),
    ("faults that `/readyz` hid", lambda each: each.lies),
    ("whatever else must not be", lambda each: len(each.wrong)),
)
LOADS: tuple[tuple[str, Callable[[Load], object]], ...] = (
    ("seed", lambda each: each.seed),
    ("minutes", lambda each: f"{each.minutes:g}"),
    ("gigabytes submitted", lambda each: f"{each.gigabytes:.1f}"),
    ("polls while idle: median, 99 %, ms", lambda each: _times(each.idle)),
    ("polls under load: median, 99 %, ms", lambda each: _times(each.busy)),
    ("99 % under load beside idle", lambda each: f"{each.busy[1] / each.idle[1]:.1f}"),
    ("memory in the second and last quarter, MiB", lambda each: _pair(each.memory, 2**20)),
    ("handles in the second and last quarter", lambda each: _pair(each.handles, 1)),
    ("errors besides 4008 and 4009", lambda each: len(each.wrong)),
)


def page(found: Found) -> str:
    """Faults, long load and lives, as far as they were run; runs of faults on one back end are added up."""
    accounts, loads, lives = added_up(found.accounts), found.loads, found.lives
    parts = [machine()]
    if accounts:
        rows = [[what, *(str(value(each)) for each in accounts)] for what, value in SUMS]
        parts += ["## Faults\n", table(("what", *(each.stage for each in accounts)), rows)]
        parts += [_faults(account) for account in accounts]
    if loads:
        rows = [[what, *(str(value(each)) for each in loads)] for what, value in LOADS]
        parts += ["## Load\n", table(("what", *(each.stage for each in loads)), rows)]
        parts += [_codes(load) for load in loads]
    if lives:
        heads = ("back end", "seed", "lives", "steps each, at most", "seconds", "as the model says")
        rows = [
            [each.stage, *map(str, (each.seed, each.examples, each.steps)), f"{each.seconds:.0f}", _mark(each.well)]
            for each in lives
        ]
        parts += ["## Lives\n", table(heads, rows)]
    return "\n".join(parts)


def _faults(account: Account) -> str:
    heads = (f"fault ({account.stage})", "times", "all APIs said so after, s", "all well again after, s")
    rows = [
        (name, str(tally.times), middle(tally.told), middle(tally.mended)) for name, tally in account.tallies.items()
    ]
    return table(heads, rows)


def _codes(load: Load) -> str:
    rows = [
        (role, str(codes.total()), ", ".join(f"{code}: {count}" for code, count in sorted(codes.items())))
        for role, codes in load.codes.items()
    ]
    return table((f"clients ({load.stage})", "requests", "answers by code"), rows)


def _times(seconds: tuple[float, float]) -> str:
    return ", ".join(f"{1000 * each:.1f}" for each in seconds)


def _pair(values: tuple[float, float], unit: float) -> str:
    return ", ".join(f"{each / unit:.0f}" for each in values)


def _mark(well: bool) -> str:
    return "yes" if well else "no"
