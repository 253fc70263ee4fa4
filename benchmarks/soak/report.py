"""The account of a run as Markdown."""

from collections.abc import Sequence

from benchmarks.report import table
from benchmarks.soak.run import Account, middle


def page(accounts: Sequence[Account]) -> str:
    """The sums of each back end, then its faults one by one."""
    sums = [
        ("seed", [str(each.seed) for each in accounts]),
        ("minutes", [f"{each.seconds / 60:.0f}" for each in accounts]),
        ("faults injected", [str(each.faults) for each in accounts]),
        ("tasks accepted", [str(each.accepted) for each in accounts]),
        ("ended well", [str(each.finished) for each in accounts]),
        ("ended in an error that was asked for", [str(each.failed) for each in accounts]),
        ("pictures fetched and decoded", [str(each.pictures) for each in accounts]),
        ("lost", [str(each.lost) for each in accounts]),
        ("doubled", [str(each.doubled) for each in accounts]),
        ("credits off", [str(each.credits_off) for each in accounts]),
        ("half or wrong pictures served", [str(each.broken) for each in accounts]),
        ("orphans after the sweep", [str(each.orphans) for each in accounts]),
        ("faults that `/readyz` hid", [str(each.lies) for each in accounts]),
        ("answers that must not be", [str(len(each.wrong)) for each in accounts]),
    ]
    parts = [table(("what", *(each.stage for each in accounts)), [[what, *values] for what, values in sums])]
    heads = ("fault", "times", "told after, median (longest) s", "all well again after, s")
    for account in accounts:
        rows = [
            (name, str(tally.times), middle(tally.told), middle(tally.mended))
            for name, tally in account.tallies.items()
        ]
        parts += [f"### {account.stage}\n", table(heads, rows)]
    return "\n".join(parts)
