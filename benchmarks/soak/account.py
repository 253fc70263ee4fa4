"""What a run of faults found, and several runs added up."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Tally:
    """One kind of fault: how often, after how many seconds all APIs had said so, and how long until all was well."""

    times: int = 0
    told: list[float] = field(default_factory=list)
    hidden: int = 0
    mended: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Account:
    """The whole of a run, or of several on one back end, each with a seed of its own."""

    stage: str
    seeds: list[int]
    seconds: float = 0.0
    tallies: dict[str, Tally] = field(default_factory=dict)
    accepted: int = 0
    finished: int = 0
    failed: int = 0
    pictures: int = 0
    lost: int = 0
    doubled: int = 0
    credits_off: int = 0
    orphans: int = 0
    broken: int = 0
    lies: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def faults(self) -> int:
        return sum(tally.times for tally in self.tallies.values())

    @property
    def well(self) -> bool:
        """Whether nothing happened that must not."""
        return not (
            self.wrong or self.lost or self.doubled or self.credits_off or self.orphans or self.broken or self.lies
        )


SUMMED = (
    "seconds",
    "accepted",
    "finished",
    "failed",
    "pictures",
    "lost",
    "doubled",
    "credits_off",
    "orphans",
    "broken",
    "lies",
)


def added_up(accounts: Sequence[Account]) -> list[Account]:
    """One account a back end, in the order in which they come first: nothing is left out, nothing counts less."""
    found: dict[str, Account] = {}
    for each in accounts:
        whole = found.setdefault(each.stage, Account(each.stage, []))
        whole.seeds += each.seeds
        whole.wrong += each.wrong
        for name in SUMMED:
            setattr(whole, name, getattr(whole, name) + getattr(each, name))
        for fault, tally in each.tallies.items():
            mine = whole.tallies.setdefault(fault, Tally())
            mine.times += tally.times
            mine.hidden += tally.hidden
            mine.told += tally.told
            mine.mended += tally.mended
    return list(found.values())
