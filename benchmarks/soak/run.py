"""Faults one after the other at random moments under load, and the account of it."""

import random
import time
from collections.abc import Callable, Sequence
from statistics import median

from benchmarks.soak.account import Account, Tally
from benchmarks.soak.audit import credits_off, rows_of, wait_for_sweeps
from benchmarks.soak.crowd import MOST, Crowd
from benchmarks.soak.faults import Fault
from benchmarks.soak.readiness import Readiness
from benchmarks.soak.stage import Alone, Fleet
from tests.support.patience import wait_for

PAUSE_SECONDS = (0.2, 2.0)


def schedule(faults: Sequence[Fault], times: int, dice: random.Random) -> list[Fault]:
    """Each fault so many times, in rounds of all of them in an order of their own."""
    found: list[Fault] = []
    for _ in range(times):
        found += dice.sample(list(faults), len(faults))
    return found


def soak(
    stage: Alone | Fleet,
    faults: Sequence[Fault],
    times: int,
    seed: int,
    say: Callable[[str], None],
    *,
    until: float | None = None,
    most: int = MOST,
) -> Account:
    """Each of ``faults`` ``times`` times, or as many as are begun before ``until`` (monotonic seconds), while clients
    have ``most`` unfinished tasks."""
    dice = random.Random(seed)
    account = Account(stage.name, [seed])
    began = time.monotonic()
    pair = stage.account()
    crowd = Crowd(stage.addresses, pair, seed, stage.folder, most=most)
    readiness = Readiness(stage.addresses)
    db = stage.database()
    told = 0
    crowd.start()
    try:
        wait_for(lambda: len(crowd.book.accepted()) >= most // 2)
        for fault in schedule(faults, times, dice):
            if until is not None and time.monotonic() >= until:
                break
            time.sleep(dice.uniform(*PAUSE_SECONDS))
            say(fault.name)
            _strike(fault, stage, crowd, readiness, account, dice)
            off = credits_off(db, pair.account_id)
            db.dispose()  # what is connected now does not outlive the next fault
            account.credits_off += off
            say(f"  {account.faults} faults, {len(crowd.book.accepted())} tasks accepted")
            for text in crowd.book.wrong[told:]:
                say(f"  {text}")
            told = len(crowd.book.wrong)
    finally:
        crowd.stop()
        readiness.stop()
    book = crowd.book
    everything, left, unnamed = rows_of(db, pair.account_id)
    account.seconds = time.monotonic() - began
    account.accepted = len(book.accepted())
    account.finished = book.finished()
    account.failed = account.accepted - account.finished
    account.pictures = book.counts["pictures"]
    account.lost = book.counts["lost"] + left
    account.doubled = book.counts["doubled"] + abs(everything - account.accepted) + unnamed
    account.broken = book.counts["broken picture"]
    account.credits_off += credits_off(db, pair.account_id, account.finished)
    left_over = wait_for_sweeps(stage, db)
    account.orphans = len(left_over)
    account.wrong = [*book.wrong, *(f"orphan: {each}" for each in left_over[:20])]
    db.dispose()
    return account


def _strike(
    fault: Fault, stage: Alone | Fleet, crowd: Crowd, readiness: Readiness, account: Account, dice: random.Random
) -> None:
    tally = account.tallies.setdefault(fault.name, Tally())
    tally.times += 1
    began = time.monotonic()
    stage.told = lambda: readiness.told(began, time.monotonic()) is not None
    fault.do(stage, crowd, dice)
    over = time.monotonic()
    if fault.shown:
        told = readiness.told(began, over)
        if told is None:
            tally.hidden += 1
            account.lies += 1
            crowd.book.complain("readiness hid a fault", fault.name)
        else:
            tally.told.append(told)
    readiness.forget()
    due = crowd.book.accepted()
    stage.revive()
    crowd.settle(due)
    tally.mended.append(time.monotonic() - over)


def middle(values: Sequence[float]) -> str:
    """Their median and largest, in seconds."""
    return f"{median(values):.1f} ({max(values):.1f})" if values else ""
