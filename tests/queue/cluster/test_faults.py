"""What surrounds a fleet fails: PostgreSQL, the store, a clock, a Plan. It is told while it lasts, and nothing is lost.

The long form, at random moments under load: ``make soak``.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from restyle.database import open_database, writing
from tests.queue.cluster.conftest import CLOCK, Reach
from tests.support.fleet import Town
from tests.support.patience import wait_for

WELL = ("Finished", 0)


def surely(ask: Callable[[], Any]) -> Any:
    """The answer of a client that comes back until it has one."""
    found: list[Any] = []

    def answered() -> bool:
        with suppress(httpx.TransportError, AssertionError, json.JSONDecodeError):
            found.append(ask())
        return bool(found)

    wait_for(answered)
    return found[-1]


def used(fleet: Town) -> int:
    return int(surely(lambda: fleet.api.post("GetCreditBalance"))["UsedCredits"])


def ready(fleet: Town) -> bool:
    return fleet.api._client.get("/readyz").status_code == 200


def ends(fleet: Town, uids: list[str]) -> list[tuple[str, int]]:
    wait_for(lambda: not surely(lambda: fleet.api.post("ListRunningTasks"))["TaskUIDList"])
    return [(task["Status"], task["ErrorCode"]) for task in surely(lambda: fleet.api.details(uids))]


def all_well(fleet: Town, uids: list[str], before: int) -> None:
    """Each has ended once, with its picture, and each was paid once; and the fleet says that it is well."""
    assert ends(fleet, uids) == [WELL] * len(uids)
    for task in surely(lambda: fleet.api.details(uids)):
        picture = surely(partial(fleet.api.download, task["ImgList"][0]))
        assert picture.startswith(b"\x89PNG")
    assert used(fleet) == before + len(uids)
    wait_for(lambda: ready(fleet))


@pytest.mark.parametrize("how", ["cut", "hold"])
def test_postgresql_that_cannot_be_reached_is_told_and_waited_for(
    fleet: Town, reach: Reach, tmp_path: Path, how: str
) -> None:
    """Connections are reset and refused; or nothing comes through, and nobody is told."""
    before, go = used(fleet), tmp_path / "go"
    uids = [fleet.api.submit(f"until {go}", request_uuid=f"{how}-{number}") for number in range(3)]
    wait_for(lambda: fleet.api.details(uids)[1]["Progress"] > 0)
    getattr(reach.database, how)()
    try:
        go.touch()  # the end is to be written while there is nobody to write it to
        wait_for(lambda: not ready(fleet))
    finally:
        reach.database.heal()
    for number, uid in enumerate(uids):
        assert surely(partial(fleet.api.submit, f"until {go}", request_uuid=f"{how}-{number}")) == uid
    all_well(fleet, uids, before)


def test_sessions_that_postgresql_ends_are_opened_anew(fleet: Town, reach: Reach) -> None:
    before = used(fleet)
    uids = [fleet.api.submit("draw 0.2") for _ in range(3)]
    db = open_database(reach.url)
    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with writing(db) as connection:
        connection.execute(sa.text(f"SELECT pg_terminate_backend(pid) {others}"))
    db.dispose()
    all_well(fleet, uids, before)


@pytest.mark.parametrize("how", ["cut", "refuse"])
def test_a_store_that_is_away_or_full_is_told_and_waited_for(
    fleet: Town, reach: Reach, tmp_path: Path, how: str
) -> None:
    before, go = used(fleet), tmp_path / "go"
    uids = [fleet.api.submit(f"until {go}") for _ in range(2)]
    wait_for(lambda: fleet.api.details(uids)[1]["Progress"] > 0)
    if how == "cut":
        reach.store.cut()
    else:
        reach.store.refuse(507)
    try:
        go.touch()
        assert fleet.api.send("ApplyReferenceStyle", **fleet.api.task()).status_code == 503
        wait_for(lambda: not ready(fleet))
        assert {task["Status"] for task in fleet.api.details(uids)} == {"Running"}
    finally:
        reach.store.heal()
    all_well(fleet, uids, before)


def test_a_store_that_is_slow_is_waited_for(fleet: Town, reach: Reach) -> None:
    before = used(fleet)
    reach.store.slow(0.2)
    try:
        uids = [fleet.api.submit() for _ in range(2)]
        assert ends(fleet, uids) == [WELL] * 2
    finally:
        reach.store.heal()
    all_well(fleet, uids, before)


@pytest.mark.parametrize("seconds", [-7200, 7200])
def test_a_clock_that_is_set_changes_no_task(fleet: Town, reach: Reach, seconds: int) -> None:
    if reach.clocks is None:
        pytest.skip("clocks that can be set need a C compiler")
    before = used(fleet)
    uids = [fleet.api.submit("draw 0.3")]
    reach.clocks.set(CLOCK, seconds)
    uids += [fleet.api.submit("draw 0.1") for _ in range(2)]
    all_well(fleet, uids, before)
    reach.clocks.set(CLOCK, 0)
    all_well(fleet, [*uids, fleet.api.submit()], before)


PLANS = {"newer": {"version": 99}, "of nobody": {"version": 1, "engine": "nobody"}, "none": ["no", "plan"]}


def test_plans_that_cannot_be_read_end_their_tasks_only(fleet: Town, reach: Reach, tmp_path: Path) -> None:
    before, go = used(fleet), tmp_path / "go"
    busy = [fleet.api.submit(f"until {go}") for _ in range(2)]
    wait_for(lambda: fleet.api.details(busy)[1]["Progress"] > 0)
    bad = [fleet.api.submit() for _ in PLANS]
    good = [fleet.api.submit()]
    db = open_database(reach.url)
    change = sa.text("UPDATE tasks SET spec = CAST(:plan AS json) WHERE uid = :uid AND status = 'Queuing'")
    with writing(db) as connection:
        for uid, plan in zip(bad, PLANS.values(), strict=True):
            assert connection.execute(change, {"plan": json.dumps(plan), "uid": uid}).rowcount == 1
    db.dispose()
    go.touch()
    assert ends(fleet, bad) == [("Error", 5000)] * len(bad)
    all_well(fleet, [*busy, *good], before)
