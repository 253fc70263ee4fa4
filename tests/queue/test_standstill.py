"""Workers that stand still or talk nonsense, and a database that does not do as it should: the others go on."""

import os
import signal
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from restyle.database import open_database, tasks, writing
from restyle.queue import crew
from restyle.queue.dispatch import Dispatcher
from restyle.queue.record import UNFINISHED, Status
from tests.support.house import House
from tests.support.patience import NEVER, wait_for

LONG = ("\U0001f600" * 2000,) * 50
"""A hundred thousand characters: more than the socket to a worker holds."""

Make = Callable[..., House]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    engines: list[sa.Engine] = []

    def make(**changes: Any) -> House:
        engines.append(open_database(f"sqlite:///{tmp_path / 'data' / 'restyle.sqlite3'}"))
        return House(engines[-1], tmp_path / "data", **changes)

    yield make
    for engine in engines:
        engine.dispose()


def both(house: House, dispatcher: Dispatcher) -> list[int]:
    """The workers, once both have loaded their engine and said so: each has drawn something, for another account."""
    account, house.account = house.account, house.keys.create(credits=2).account_id
    go = house.settings.data_dir / "both"
    uids = [house.submit(f"until {go}") for _ in range(2)]
    dispatcher.notify()
    house.wait_until(uids, lambda task: task.status == Status.RUNNING and task.progress > 0.04)
    go.touch()
    house.wait(uids)
    house.account = account
    return dispatcher.pids()


def test_an_idle_worker_that_stands_still_is_replaced_and_its_task_runs(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew, "TAKE_SECONDS", 5)
    house = make(task_attempts=1, workers=2)
    with house.dispatcher() as dispatcher:
        stopped = both(house, dispatcher)
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        uids = [house.submit(*LONG), house.submit(), house.submit(*LONG), house.submit()]
        dispatcher.notify()
        assert {task.status for task in house.wait(uids)} == {Status.FINISHED}
        assert not set(stopped) & set(dispatcher.pids())
    assert house.used() == 4


def test_beside_a_worker_that_stands_still_the_other_works(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "TAKE_SECONDS", NEVER)
    house = make(workers=2)
    with house.dispatcher() as dispatcher:
        stopped = both(house, dispatcher)[0]
        os.kill(stopped, signal.SIGSTOP)
        uids = [house.submit(*LONG) for _ in range(6)]
        dispatcher.notify()

        def stuck() -> list[str]:
            return [task.uid for task in house.store.details(house.account, uids) if task.status in UNFINISHED]

        wait_for(lambda: len(stuck()) == 1)
        (uid,) = stuck()
        house.store.terminate(house.account, uid)
        dispatcher.cancel(uid)
        wait_for(lambda: stopped not in dispatcher.pids())
        assert house.wait([house.submit()])[0].status == Status.FINISHED
    assert house.used() == 6


def test_a_run_that_stands_still_is_over_at_its_time_limit(make: Make) -> None:
    house = make(task_seconds=5)
    marker = house.settings.data_dir / "at-work"
    with house.dispatcher() as dispatcher:
        uid = house.submit(f"touch {marker}", "draw 3000")
        dispatcher.notify()
        wait_for(marker.exists)
        for pid in dispatcher.pids():
            os.kill(pid, signal.SIGSTOP)
        (task,) = house.wait([uid])
        assert task.error_code == 5103
        # on a busy machine even a short one may take longer than that
        wait_for(lambda: house.wait([house.submit()])[0].status == Status.FINISHED)


def test_stopping_does_not_wait_for_who_stands_still(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "TAKE_SECONDS", NEVER)
    house = make(workers=2)
    with house.dispatcher(drain_seconds=0.5) as dispatcher:
        pids = both(house, dispatcher)
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        uids = [house.submit(*LONG) for _ in range(2)]
        dispatcher.notify()
        house.wait_until(uids, lambda task: task.status == Status.RUNNING)
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    with house.dispatcher():
        assert {task.status for task in house.wait(uids)} == {Status.FINISHED}


def test_a_worker_that_talks_nonsense_is_ended_and_disturbs_nobody(make: Make) -> None:
    words = [
        b"\xff\xff\xff\xff",
        b"\0\0\0\x02[]",
        struct.pack("!I", 16) + b'{"kind":"ready"}',
        struct.pack("!I", 51) + b'{"kind":"done","claim":"0000000000000000","notices"',
        struct.pack("!I", 60) + b'{"kind":"progress","claim":"0123456789abcdef","fraction":99}',
    ]
    house = make(task_attempts=1, workers=2)
    with house.dispatcher() as dispatcher:
        bad = [house.submit(f"say {word.hex()}") for word in words]
        good = [house.submit() for _ in range(3)]
        dispatcher.notify()
        assert {task.status for task in house.wait(good)} == {Status.FINISHED}
        assert {task.error_message for task in house.wait(bad)} == {
            "the worker process died 1 times while it ran this task"
        }
    assert house.used() == 3


def test_half_a_message_is_none_and_its_run_over_at_its_time_limit(make: Make) -> None:
    house = make(task_seconds=2, task_attempts=1)
    with house.dispatcher():
        half = house.submit(f"say {struct.pack('!I', 100).hex()}7b")
        assert house.wait([half])[0].error_code == 5103
        wait_for(lambda: house.wait([house.submit()])[0].status == Status.FINISHED)


def test_a_database_without_its_tables_is_told_and_waited_for(db: sa.Engine, tmp_path: Path) -> None:
    house = House(db, tmp_path / "data")
    with house.dispatcher() as dispatcher:
        uid = house.submit()
        rename(db, "tasks", "away")
        wait_for(lambda: dispatcher.trouble() == "the database cannot be read or written")
        assert not dispatcher.ready()
        rename(db, "away", "tasks")
        assert house.wait([uid])[0].status == Status.FINISHED
        wait_for(dispatcher.ready)


def test_an_end_that_the_database_refuses_holds_up_no_other(db: sa.Engine, tmp_path: Path) -> None:
    house = House(db, tmp_path / "data")
    with house.dispatcher() as dispatcher:
        bad = house.submit("raise")
        with writing(db) as connection:  # more than was ever used: to return that would leave less than nothing
            connection.execute(sa.update(tasks).where(tasks.c.uid == bad).values(cost=500))
        others = [house.submit() for _ in range(4)]
        dispatcher.notify()
        assert {task.status for task in house.wait(others)} == {Status.FINISHED}
        assert dispatcher.ready()
    with writing(db) as connection:
        connection.execute(sa.update(tasks).where(tasks.c.uid == bad).values(cost=1))
    with house.dispatcher():
        assert house.wait([bad])[0].error_code == 5101
    assert house.used() == 4


def rename(db: sa.Engine, old: str, new: str) -> None:
    with writing(db) as connection:
        if db.dialect.name == "sqlite":
            connection.execute(sa.text("PRAGMA legacy_alter_table = ON"))
        connection.execute(sa.text(f"ALTER TABLE {old} RENAME TO {new}"))
