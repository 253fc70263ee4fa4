"""The dispatcher with real worker processes and an engine that does as it is told."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from io import BytesIO
from pathlib import Path
from threading import Thread

import numpy as np
import psutil
import pytest
import sqlalchemy as sa
from PIL import Image

from restyle.database import open_database
from restyle.queue import crew
from restyle.queue.claims import Claims
from restyle.queue.dispatch import Dispatcher
from restyle.queue.record import Status, TaskRecord
from restyle.wire.errors import RestyleError
from tests.support import databases
from tests.support.command import PYTHONPATH
from tests.support.databases import sqlite_database
from tests.support.folders import files
from tests.support.house import House
from tests.support.patience import NEVER, PATIENCE, wait_for


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[sa.Engine]:
    db = open_database(sqlite_database(tmp_path / "data" / "restyle.sqlite3"))
    yield db
    db.dispose()


@pytest.fixture
def house(sqlite: sa.Engine, tmp_path: Path) -> House:
    return House(sqlite, tmp_path / "data", workers=2)


@pytest.fixture(scope="module")
def at_work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, Dispatcher]]:
    folder = tmp_path_factory.mktemp("dispatch")
    db = open_database(sqlite_database(folder / "data" / "restyle.sqlite3"))
    house = House(db, folder / "data", workers=2)
    with house.dispatcher() as dispatcher:
        yield house, dispatcher
    db.dispose()


@pytest.fixture
def live(at_work: tuple[House, Dispatcher]) -> House:
    """One house whose dispatcher is at work all the time, with an account of this test's own."""
    house, dispatcher = at_work
    house.account = house.keys.create(credits=1000).account_id
    wait_for(lambda: dispatcher.ready() and len(dispatcher.pids()) == 2)
    return house


@pytest.fixture
def dispatcher(at_work: tuple[House, Dispatcher]) -> Dispatcher:
    return at_work[1]


def alive(pid: int) -> bool:
    """Whether the process still runs; one that ended and whose end nobody asked about yet does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def running(task: TaskRecord) -> bool:
    return task.status == Status.RUNNING


def drawing(task: TaskRecord) -> bool:
    return task.status == Status.RUNNING and task.progress > 0.04


def test_a_task_becomes_pictures(db: sa.Engine, tmp_path: Path) -> None:
    house = House(db, tmp_path / "data")
    with house.dispatcher() as dispatcher:
        uid = house.submit(seeds=(7, 8))
        dispatcher.notify()
        (task,) = house.wait([uid])
    assert (task.status, task.progress, len(task.images)) == (Status.FINISHED, 1.0, 2)
    images = [Image.open(BytesIO(house.storage.get(key))) for key in task.images]
    assert [(image.format, image.size) for image in images] == [("PNG", (80, 64))] * 2
    assert not np.array_equal(np.asarray(images[0]), np.asarray(images[1]))
    assert task.started is not None
    assert task.finished is not None
    assert task.created <= task.started <= task.finished
    assert house.used() == 1
    assert list(house.storage.names("inputs/")) == []


def test_a_task_that_another_process_submitted_is_found(live: House, dispatcher: Dispatcher) -> None:
    (task,) = live.wait([live.submit()])
    assert task.status == Status.FINISHED


def test_progress_is_told_while_the_engine_draws(live: House, dispatcher: Dispatcher) -> None:
    uid = live.submit(f"draw {NEVER}")
    dispatcher.notify()
    seen: list[float] = []

    def look() -> bool:
        seen.append(live.task(uid).progress)
        return len(set(seen)) >= 3

    wait_for(look)
    assert seen == sorted(seen)
    assert max(seen) < 1.0
    live.store.terminate(live.account, uid)
    dispatcher.cancel(uid)
    assert live.wait([live.submit()])[0].progress == 1.0


@pytest.mark.parametrize(
    ("order", "code", "message"),
    [
        ("raise", 5101, "engine failed; the service's log says more under "),
        ("wrong size", 5101, "engine failed; the service's log says more under "),
        ("memory", 5102, "the machine's memory does not suffice"),
        ("short", 5102, "64 x 64 would fit"),
        ("unprepared", 5102, "the machine's memory does not suffice"),
        ("short unprepared", 5102, "64 x 64 would fit"),
        ("die", 5101, "the worker process died 3 times while it ran this task"),
    ],
)
def test_a_failing_engine_ends_its_own_task_only(
    live: House, dispatcher: Dispatcher, order: str, code: int, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    before, bad, after = live.submit("draw 0.2"), live.submit(order), live.submit("draw 0.2")
    dispatcher.notify()
    tasks = live.wait([before, bad, after])
    assert [task.status for task in tasks] == [Status.FINISHED, Status.ERROR, Status.FINISHED]
    assert tasks[1].error_code == code
    assert tasks[1].error_message.startswith(message)
    assert "secret" not in tasks[1].error_message
    assert tasks[1].images == ()
    assert live.used() == 2
    incident = tasks[1].error_message.split()[-1]
    if message.endswith("under "):
        assert incident in capfd.readouterr().out
    wait_for(lambda: list(live.storage.names("inputs/")) == [])
    results = set(live.storage.names("results/"))
    assert {before, after} <= results
    assert bad not in results


@pytest.mark.parametrize(
    ("order", "stays"), [("short", True), ("memory", False), ("unprepared", False), ("short unprepared", False)]
)
def test_a_worker_that_gave_its_memory_back_goes_on(sqlite: sa.Engine, tmp_path: Path, order: str, stays: bool) -> None:
    house = House(sqlite, tmp_path / "data")
    with house.dispatcher() as dispatcher:
        before = dispatcher.pids()
        tasks = [house.submit(order), house.submit("draw 0.1")]
        dispatcher.notify()
        assert [task.status for task in house.wait(tasks)] == [Status.ERROR, Status.FINISHED]
        assert (dispatcher.pids() == before) is stays


def test_an_input_that_cannot_be_read_is_told(live: House, dispatcher: Dispatcher) -> None:
    uid, submission = live.submission()
    live.storage.put(f"inputs/{uid}/1", live.png[:100])
    live.store.submit(uid, submission)
    (task,) = live.wait([uid])
    assert (task.status, task.error_code) == (Status.ERROR, 4003)
    assert live.used() == 0


def test_a_task_whose_worker_is_killed_runs_again(live: House, dispatcher: Dispatcher) -> None:
    for kill in range(2):
        marker = live.settings.data_dir / f"died-{kill}"
        uid = live.submit(f"die once {marker}", "draw 0.1")
        dispatcher.notify()
        (task,) = live.wait([uid])
        assert marker.exists()
        assert task.status == Status.FINISHED
    assert live.used() == 2


def test_idle_workers_that_are_killed_are_replaced_and_cost_no_attempt(sqlite: sa.Engine, tmp_path: Path) -> None:
    house = House(sqlite, tmp_path / "data", task_attempts=1)
    with house.dispatcher() as dispatcher:
        for _ in range(3):
            wait_for(lambda: len(dispatcher.pids()) == 1)
            pids = dispatcher.pids()
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            uid = house.submit()
            dispatcher.notify()
            (task,) = house.wait([uid])
            assert task.status == Status.FINISHED
            wait_for(lambda old=pids: not set(old) & set(dispatcher.pids()))


def test_a_terminated_task_stops_and_its_worker_goes_on(
    live: House, dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew, "STOP_SECONDS", PATIENCE)
    before = dispatcher.pids()
    terminate_all(live, dispatcher, "draw 3000")
    (task,) = live.wait([live.submit()])
    assert task.status == Status.FINISHED
    assert dispatcher.pids() == before
    assert live.used() == 1


def test_a_terminated_task_that_does_not_hear_of_it_ends_with_its_worker(live: House, dispatcher: Dispatcher) -> None:
    before = dispatcher.pids()
    terminate_all(live, dispatcher, "deaf 3000")
    wait_for(lambda: not set(before) & set(dispatcher.pids()))
    (task,) = live.wait([live.submit()])
    assert task.status == Status.FINISHED
    assert live.used() == 1


def terminate_all(house: House, dispatcher: Dispatcher, order: str) -> None:
    """Two tasks that run and two that wait, terminated: they end as that, and leave nothing behind."""
    marks = [house.settings.data_dir / f"begun-{house.account}-{number}" for number in range(4)]
    uids = [house.submit(f"touch {mark}", order) for mark in marks]
    dispatcher.notify()
    wait_for(lambda: all(mark.exists() for mark in marks[:2]))
    for uid in uids:
        house.store.terminate(house.account, uid)
        dispatcher.cancel(uid)
    wait_for(lambda: list(house.storage.names("inputs/")) == [])
    assert {task.error_code for task in house.store.details(house.account, uids)} == {5104}


def test_a_worker_stops_also_when_nobody_told_it_but_the_database(live: House, dispatcher: Dispatcher) -> None:
    uids = [live.submit("draw 3000") for _ in range(2)]
    dispatcher.notify()
    live.wait_until(uids, running)
    for uid in uids:
        live.store.terminate(live.account, uid)
    assert live.wait([live.submit()])[0].status == Status.FINISHED


@pytest.mark.parametrize("order", ["draw 3000", "deaf 3000"])
def test_a_task_over_its_time_ends(sqlite: sa.Engine, tmp_path: Path, order: str) -> None:
    house = House(sqlite, tmp_path / "data", task_seconds=2)
    with house.dispatcher() as dispatcher:
        uid = house.submit(order)
        dispatcher.notify()
        (task,) = house.wait([uid])
        # on a busy machine even a short one may take longer than that
        wait_for(lambda: house.wait([house.submit()])[0].status == Status.FINISHED)
    assert (task.status, task.error_code) == (Status.ERROR, 5103)
    assert task.error_message == "the task ran longer than the 2 seconds it may"
    assert house.used() == 1


def test_one_account_with_many_tasks_does_not_starve_another(house: House) -> None:
    go = house.settings.data_dir / "go"
    many = [house.submit(f"until {go}") for _ in range(20)]
    other = house.keys.create(credits=5).account_id
    with house.dispatcher():
        house.wait_until(many[:2], running)
        uid = house.submit(account=other)
        go.touch()
        tasks = house.wait(many)
        wait_for(lambda: house.task(uid, other).status == Status.FINISHED)
    begun = house.task(uid, other).started
    assert begun is not None
    assert sum(task.started < begun for task in tasks if task.started is not None) == 2


def test_no_more_tasks_run_than_there_are_workers(live: House, dispatcher: Dispatcher) -> None:
    uids = [live.submit("draw 0.1") for _ in range(10)]
    dispatcher.notify()
    while live.store.unfinished(live.account):
        assert live.store.counts()[Status.RUNNING] <= 2
        time.sleep(0.01)
    assert {task.status for task in live.store.details(live.account, uids)} == {Status.FINISHED}


def test_stopping_waits_for_running_tasks_and_leaves_the_rest(house: House) -> None:
    go = house.settings.data_dir / "go"
    with house.dispatcher() as dispatcher:
        uids = [house.submit(f"until {go}") for _ in range(5)]
        dispatcher.notify()
        house.wait_until(uids[:2], drawing)
        stopping = Thread(target=dispatcher.stop, args=(NEVER,))
        stopping.start()
        wait_for(lambda: dispatcher.trouble() == "the service is stopping")
        go.touch()
        stopping.join(PATIENCE)
    assert [task.status for task in house.store.details(house.account, uids)] == ["Finished"] * 2 + ["Queuing"] * 3
    with house.dispatcher():
        assert {task.status for task in house.wait(uids)} == {Status.FINISHED}
    assert house.used() == 5


def test_stopping_breaks_off_what_takes_too_long_and_counts_no_attempt(sqlite: sa.Engine, tmp_path: Path) -> None:
    house = House(sqlite, tmp_path / "data", task_attempts=1)
    marker = house.settings.data_dir / "wait"
    uid = house.submit(f"until {marker}")
    for _ in range(2):
        with house.dispatcher(drain_seconds=0.1) as dispatcher:
            house.wait_until([uid], running)
            pids = dispatcher.pids()
        assert not any(alive(pid) for pid in pids)
    marker.touch()
    with house.dispatcher():
        assert house.wait([uid])[0].status == Status.FINISHED
    assert house.used() == 1


def test_a_second_service_on_the_same_database_is_refused(db: sa.Engine, tmp_path: Path) -> None:
    house = House(db, tmp_path / "data")
    with house.dispatcher():
        other = open_database(db.url.render_as_string(hide_password=False))
        second = Dispatcher(house.settings, other, house.storage)
        with pytest.raises(RestyleError, match="another service already runs the tasks"):
            second.start()
        other.dispose()
    with house.dispatcher():
        assert house.wait([house.submit()])[0].status == Status.FINISHED


def test_a_service_whose_engine_cannot_be_loaded_is_not_ready_and_keeps_its_tasks(
    sqlite: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PYTHONPATH", PYTHONPATH)
    house = House(sqlite, tmp_path / "data", registry="tests.support.engines:broken_registry", threads=3)
    dispatcher = Dispatcher(house.settings, house.db, house.storage)
    dispatcher.start()
    uid = house.submit()
    printed = ""

    def told() -> bool:
        nonlocal printed
        printed += capfd.readouterr().out
        return "no weights for 3 threads" in printed

    wait_for(told)
    assert not dispatcher.ready()
    dispatcher.stop()
    assert house.task(uid).status == Status.QUEUING


def test_workers_give_way_to_the_service_and_to_the_out_of_memory_killer(live: House, dispatcher: Dispatcher) -> None:
    for pid in dispatcher.pids():
        wait_for(lambda pid=pid: psutil.Process(pid).nice() > os.nice(0))
        if sys.platform == "linux":
            assert int(Path(f"/proc/{pid}/oom_score_adj").read_text()) >= 500


def test_ctrl_c_and_sigterm_to_the_whole_group_leave_workers_to_their_service(
    live: House, dispatcher: Dispatcher
) -> None:
    marker = live.settings.data_dir / "signalled"
    uids = [live.submit(f"until {marker}") for _ in range(2)]
    dispatcher.notify()
    live.wait_until(uids, drawing)
    pids = dispatcher.pids()
    for pid in pids:
        os.kill(pid, signal.SIGINT)
        os.kill(pid, signal.SIGTERM)
    marker.touch()
    assert {task.status for task in live.wait(uids)} == {Status.FINISHED}
    assert dispatcher.pids() == pids


def test_workers_end_at_once_when_their_service_is_killed(house: House) -> None:
    script = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from restyle.database import open_database\n"
        "from tests.support.house import House\n"
        "folder = Path(sys.argv[1])\n"
        "house = House(open_database(sys.argv[2]), folder, workers=2)\n"
        "with house.dispatcher() as dispatcher:\n"
        "    while len(dispatcher.pids()) < 2: time.sleep(0.01)\n"
        "    print('pids', *dispatcher.pids(), flush=True)\n"
        "    time.sleep(3000)\n"
    )
    go = house.settings.data_dir / "go"
    uids = [house.submit(f"deaf until {go}"), house.submit(f"until {go}")]
    command = [sys.executable, "-c", script, str(house.settings.data_dir), str(house.db.url)]
    environment = {**os.environ, "PYTHONPATH": PYTHONPATH}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        try:
            said = next(line.split() for line in process.stdout if line.startswith("pids "))  # logs stand there, too
            pids = [int(pid) for pid in said[1:]]
            house.wait_until(uids, running)
        finally:
            process.kill()
        wait_for(lambda: not any(alive(pid) for pid in pids))
    go.touch()
    with house.dispatcher():
        assert {task.status for task in house.wait(uids)} == {Status.FINISHED}
    assert house.used() == 2


def test_a_database_that_another_process_keeps_locked_delays_tasks_and_loses_none(
    live: House, dispatcher: Dispatcher
) -> None:
    marks = [live.settings.data_dir / f"go-{number}" for number in range(2)]
    with closing(sqlite3.connect(str(live.db.url.database), timeout=PATIENCE)) as other:
        uids = [live.submit(f"until {mark}") for mark in marks] + [live.submit()]
        dispatcher.notify()
        live.wait_until(uids[:2], running)
        other.execute("BEGIN IMMEDIATE")
        for mark in marks:
            mark.touch()
        results = live.settings.data_dir / "objects" / "results"
        wait_for(lambda: all("0.png" in {path.name for path in files(results / uid)} for uid in uids[:2]))
        assert [task.status for task in live.store.details(live.account, uids)] == ["Running", "Running", "Queuing"]
        other.rollback()
        assert {task.status for task in live.wait(uids)} == {Status.FINISHED}
    assert live.used() == 3


@pytest.mark.parametrize("kind", [kind for kind in databases.KINDS if kind != "sqlite"])
def test_a_database_that_drops_its_connections_delays_tasks_and_loses_none(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    with databases.postgres_database(request.getfixturevalue("postgres_cluster")) as url:
        db = open_database(url)
        house = House(db, tmp_path / "data", workers=2)
        drop = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        with house.dispatcher():
            uids = [house.submit("draw 0.2") for _ in range(16)]
            for _ in range(4):
                with db.connect() as connection, pytest.raises(sa.exc.OperationalError):
                    connection.execute(sa.text(drop))
                time.sleep(0.3)
            assert {task.status for task in house.wait(uids)} == {Status.FINISHED}
            held = (
                "SELECT 1 FROM pg_locks JOIN pg_database d ON d.oid = database WHERE locktype = 'advisory' AND granted"
            )
            with db.connect() as connection:  # the lock went with its connection, and is taken again
                wait_for(lambda: connection.execute(sa.text(f"{held} AND datname = current_database()")).first())
            second = Dispatcher(house.settings, db, house.storage)
            with pytest.raises(RestyleError, match="another service"):
                second.start()
        assert house.used() == 16
        db.dispose()


def test_a_finished_run_is_not_finished_twice_by_a_worker_left_behind(sqlite: sa.Engine, tmp_path: Path) -> None:
    """What a stale worker wrote lies under its own claim, and never shows."""
    house = House(sqlite, tmp_path / "data")
    uid = house.submit()
    stale = Claims(house.db, house.settings).next()
    assert stale is not None
    with house.dispatcher():
        (task,) = house.wait([uid])
    assert stale.claim not in task.images[0]
    assert not Claims(house.db, house.settings).finish(stale, ["stale"])
    assert house.task(uid).images == task.images
