"""The dispatcher with real worker processes and an engine that does as it is told."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import psutil
import pytest
import sqlalchemy as sa
from PIL import Image

from restyle.database import open_database, writing
from restyle.queue.claims import Claims
from restyle.queue.dispatch import Dispatcher
from restyle.queue.store import Status, TaskRecord
from restyle.wire.errors import RestyleError
from tests.support import databases
from tests.support.command import PYTHONPATH
from tests.support.house import House, wait_for


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[sa.Engine]:
    db = open_database(f"sqlite:///{tmp_path / 'data' / 'restyle.sqlite3'}")
    yield db
    db.dispose()


@pytest.fixture
def house(sqlite: sa.Engine, tmp_path: Path) -> House:
    return House(sqlite, tmp_path / "data")


def alive(pid: int) -> bool:
    """Whether the process still runs; one that ended and whose end nobody asked about yet does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def running(task: TaskRecord) -> bool:
    return task.status == Status.RUNNING


def drawing(task: TaskRecord) -> bool:
    return task.status == Status.RUNNING and task.progress > 0.1


def test_a_task_becomes_pictures(db: sa.Engine, tmp_path: Path) -> None:
    house = House(db, tmp_path / "data")
    with house.dispatcher() as dispatcher:
        uid = house.submit(seeds=(7, 8))
        dispatcher.notify()
        (task,) = house.wait([uid])
    assert (task.status, task.progress, len(task.images)) == (Status.FINISHED, 1.0, 2)
    images = [Image.open(BytesIO(house.storage.get(key))) for key in task.images]
    assert [(image.format, image.size) for image in images] == [("PNG", (32, 24))] * 2
    assert not np.array_equal(np.asarray(images[0]), np.asarray(images[1]))
    assert task.started is not None
    assert task.finished is not None
    assert task.created <= task.started <= task.finished
    assert house.used() == 1
    assert list(house.storage.names("inputs/")) == []


def test_a_task_that_another_process_submitted_is_found(house: House) -> None:
    with house.dispatcher():
        (task,) = house.wait([house.submit()], seconds=5)
    assert task.status == Status.FINISHED


def test_progress_is_told_while_the_engine_draws(house: House) -> None:
    with house.dispatcher() as dispatcher:
        uid = house.submit("draw 1.5")
        dispatcher.notify()
        seen = set()
        while (task := house.task(uid)).status in (Status.QUEUING, Status.RUNNING):
            seen.add(task.progress)
            time.sleep(0.02)
    assert len(seen) >= 4
    assert max(seen) < 1.0
    assert task.progress == 1.0


@pytest.mark.parametrize(
    ("order", "code", "message"),
    [
        ("raise", 5101, "engine failed; the service's log says more under "),
        ("wrong size", 5101, "engine failed; the service's log says more under "),
        ("memory", 5102, "the machine's memory does not suffice"),
        ("short", 5102, "64 x 64 would fit"),
        ("die", 5101, "the worker process died 3 times while it ran this task"),
    ],
)
def test_a_failing_engine_ends_its_own_task_only(
    house: House, order: str, code: int, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with house.dispatcher() as dispatcher:
        before, bad, after = house.submit("draw 0.2"), house.submit(order), house.submit("draw 0.2")
        dispatcher.notify()
        tasks = house.wait([before, bad, after])
    assert [task.status for task in tasks] == [Status.FINISHED, Status.ERROR, Status.FINISHED]
    assert tasks[1].error_code == code
    assert tasks[1].error_message.startswith(message)
    assert "secret" not in tasks[1].error_message
    assert tasks[1].images == ()
    assert house.used() == 2
    incident = tasks[1].error_message.split()[-1]
    if message.endswith("under "):
        assert incident in capfd.readouterr().out
    assert list(house.storage.names("inputs/")) == []
    assert set(house.storage.names("results/")) == {before, after}


@pytest.mark.parametrize(("order", "stays"), [("short", True), ("memory", False)])
def test_a_worker_that_gave_its_memory_back_goes_on(sqlite: sa.Engine, tmp_path: Path, order: str, stays: bool) -> None:
    house = House(sqlite, tmp_path / "data", workers=1)
    with house.dispatcher() as dispatcher:
        before = dispatcher.pids()
        tasks = [house.submit(order), house.submit("draw 0.1")]
        dispatcher.notify()
        assert [task.status for task in house.wait(tasks)] == [Status.ERROR, Status.FINISHED]
        assert (dispatcher.pids() == before) is stays


def test_an_input_that_cannot_be_read_is_told(house: House) -> None:
    uid, submission = house.submission()
    house.storage.put(f"inputs/{uid}/1", house.png[:100])
    house.store.submit(uid, submission)
    with house.dispatcher():
        (task,) = house.wait([uid])
    assert (task.status, task.error_code) == (Status.ERROR, 4003)
    assert house.used() == 0


def test_a_task_whose_worker_is_killed_runs_again_within_two_seconds(house: House) -> None:
    with house.dispatcher() as dispatcher:
        for kill in range(2):
            marker = house.settings.data_dir / f"died-{kill}"
            uid = house.submit(f"die once {marker}", "draw 0.1")
            dispatcher.notify()
            wait_for(marker.exists)
            killed = time.monotonic()
            (task,) = house.wait([uid], seconds=5)
            assert task.status == Status.FINISHED
            assert time.monotonic() - killed < 2.1
    assert house.used() == 2


def test_idle_workers_that_are_killed_are_replaced_and_cost_no_attempt(sqlite: sa.Engine, tmp_path: Path) -> None:
    house = House(sqlite, tmp_path / "data", task_attempts=1)
    with house.dispatcher() as dispatcher:
        for _ in range(3):
            wait_for(lambda: len(dispatcher.pids()) == 2)
            pids = dispatcher.pids()
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            uid = house.submit()
            dispatcher.notify()
            (task,) = house.wait([uid])
            assert task.status == Status.FINISHED
            wait_for(lambda old=pids: not set(old) & set(dispatcher.pids()))


@pytest.mark.parametrize("order", ["draw 30", "deaf 30"])
def test_a_terminated_task_stops_within_a_second(house: House, order: str) -> None:
    with house.dispatcher() as dispatcher:
        uids = [house.submit(order) for _ in range(4)]
        dispatcher.notify()
        house.wait_until(uids[:2], running)
        time.sleep(0.3)
        before = dispatcher.pids()
        begun = time.monotonic()
        for uid in uids:
            house.store.terminate(house.account, uid)
            dispatcher.cancel(uid)
        if order == "deaf 30":  # whoever does not hear is killed; whoever does keeps its engine for the next task
            wait_for(lambda: not set(before) & set(dispatcher.pids()))
        wait_for(lambda: list(house.storage.names("inputs/")) == [])
        assert time.monotonic() - begun < 1
        after = house.submit()
        dispatcher.notify()
        (task,) = house.wait([after], seconds=10)
        assert task.status == Status.FINISHED
        assert (set(dispatcher.pids()) == set(before)) == (order == "draw 30")
    assert {task.error_code for task in house.store.details(house.account, uids)} == {5104}
    assert house.used() == 1


def test_a_worker_stops_also_when_nobody_told_it_but_the_database(house: House) -> None:
    with house.dispatcher() as dispatcher:
        uids = [house.submit("draw 30") for _ in range(2)]
        dispatcher.notify()
        house.wait_until(uids, running)
        for uid in uids:
            house.store.terminate(house.account, uid)
        assert house.wait([house.submit()], seconds=3)[0].status == Status.FINISHED


@pytest.mark.parametrize("order", ["draw 30", "deaf 30"])
def test_a_task_over_its_time_ends(sqlite: sa.Engine, tmp_path: Path, order: str) -> None:
    house = House(sqlite, tmp_path / "data", task_seconds=0.5)
    with house.dispatcher() as dispatcher:
        uid = house.submit(order)
        dispatcher.notify()
        (task,) = house.wait([uid], seconds=5)
        assert house.wait([house.submit()])[0].status == Status.FINISHED
    assert (task.status, task.error_code) == (Status.ERROR, 5103)
    assert task.error_message == "the task ran longer than the 0.5 seconds it may"
    assert house.used() == 1


def test_one_account_with_many_tasks_does_not_starve_another(house: House) -> None:
    many = [house.submit("draw 0.2") for _ in range(60)]
    other = house.keys.create(credits=5).account_id
    with house.dispatcher() as dispatcher:
        house.wait_until(many[:1], lambda task: task.status == Status.FINISHED)
        uid = house.submit(account=other)
        dispatcher.notify()
        wait_for(lambda: house.task(uid, other).status == Status.FINISHED, 5)
        assert len(house.store.unfinished(house.account)) > 40


def test_no_more_tasks_run_than_there_are_workers(house: House) -> None:
    uids = [house.submit("draw 0.1") for _ in range(10)]
    with house.dispatcher() as dispatcher:
        dispatcher.notify()
        while house.store.unfinished(house.account):
            assert house.store.counts()[Status.RUNNING] <= 2
            time.sleep(0.01)
    assert {task.status for task in house.store.details(house.account, uids)} == {Status.FINISHED}


def test_stopping_waits_for_running_tasks_and_leaves_the_rest(house: House) -> None:
    with house.dispatcher() as dispatcher:
        uids = [house.submit("draw 0.8") for _ in range(5)]
        dispatcher.notify()
        house.wait_until(uids[:2], drawing)
    assert [task.status for task in house.store.details(house.account, uids)] == ["Finished"] * 2 + ["Queuing"] * 3
    with house.dispatcher():
        assert {task.status for task in house.wait(uids)} == {Status.FINISHED}
    assert house.used() == 5


def test_stopping_breaks_off_what_takes_too_long_and_counts_no_attempt(sqlite: sa.Engine, tmp_path: Path) -> None:
    house = House(sqlite, tmp_path / "data", task_attempts=1)
    uid = house.submit("draw 1.5")
    for _ in range(2):
        with house.dispatcher(drain_seconds=0.1) as dispatcher:
            house.wait_until([uid], drawing)
            pids = dispatcher.pids()
            begun = time.monotonic()
        assert time.monotonic() - begun < 1
        assert not any(alive(pid) for pid in pids)
    with house.dispatcher():
        assert house.wait([uid])[0].status == Status.FINISHED
    assert house.used() == 1


def test_a_second_service_on_the_same_database_is_refused(db: sa.Engine, database_url: str, tmp_path: Path) -> None:
    house = House(db, tmp_path / "data")
    with house.dispatcher():
        other = open_database(database_url)
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
    house = House(sqlite, tmp_path / "data", registry="tests.support.engines:broken_registry", workers=1)
    dispatcher = Dispatcher(house.settings, house.db, house.storage)
    dispatcher.start()
    uid = house.submit()
    printed = ""

    def told() -> bool:
        nonlocal printed
        printed += capfd.readouterr().out
        return "no weights for 0 threads" in printed

    wait_for(told)
    assert not dispatcher.ready()
    dispatcher.stop()
    assert house.task(uid).status == Status.QUEUING


def test_workers_give_way_to_the_service_and_to_the_out_of_memory_killer(house: House) -> None:
    with house.dispatcher() as dispatcher:
        for pid in dispatcher.pids():
            wait_for(lambda pid=pid: psutil.Process(pid).nice() == os.nice(0) + 5)
            if sys.platform == "linux":
                assert int(Path(f"/proc/{pid}/oom_score_adj").read_text()) >= 500


def test_ctrl_c_and_sigterm_to_the_whole_group_leave_workers_to_their_service(house: House) -> None:
    with house.dispatcher() as dispatcher:
        uids = [house.submit("draw 0.5") for _ in range(2)]
        dispatcher.notify()
        house.wait_until(uids, drawing)
        pids = dispatcher.pids()
        for pid in pids:
            os.kill(pid, signal.SIGINT)
            os.kill(pid, signal.SIGTERM)
        assert {task.status for task in house.wait(uids)} == {Status.FINISHED}
        assert dispatcher.pids() == pids


def test_workers_end_at_once_when_their_service_is_killed(house: House) -> None:
    script = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from restyle.database import open_database\n"
        "from tests.support.house import House\n"
        "folder = Path(sys.argv[1])\n"
        "house = House(open_database(sys.argv[2]), folder)\n"
        "with house.dispatcher() as dispatcher:\n"
        "    while len(dispatcher.pids()) < 2: time.sleep(0.01)\n"
        "    print(*dispatcher.pids(), flush=True)\n"
        "    time.sleep(60)\n"
    )
    uids = [house.submit("deaf 1"), house.submit("draw 1")]
    command = [sys.executable, "-c", script, str(house.settings.data_dir), str(house.db.url)]
    environment = {**os.environ, "PYTHONPATH": PYTHONPATH}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        pids = [int(pid) for pid in process.stdout.readline().split()]
        house.wait_until(uids, running)
        process.kill()
        wait_for(lambda: not any(alive(pid) for pid in pids), 1)
    with house.dispatcher():
        assert {task.status for task in house.wait(uids)} == {Status.FINISHED}
    assert house.used() == 2


def test_a_database_that_is_locked_for_a_while_delays_tasks_and_loses_none(house: House) -> None:
    with house.dispatcher() as dispatcher:
        uids = [house.submit("draw 0.1") for _ in range(4)]
        dispatcher.notify()
        blocker = threading.Event()

        def hold() -> None:
            with writing(house.db):
                blocker.wait(1)

        thread = threading.Thread(target=hold)
        thread.start()
        thread.join()
        assert {task.status for task in house.wait(uids)} == {Status.FINISHED}


@pytest.mark.parametrize("kind", [kind for kind in databases.KINDS if kind != "sqlite"])
def test_a_database_that_drops_its_connections_delays_tasks_and_loses_none(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    with databases.postgres_database(request.getfixturevalue("postgres_cluster")) as url:
        db = open_database(url)
        house = House(db, tmp_path / "data")
        drop = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        with house.dispatcher():
            uids = [house.submit("draw 0.2") for _ in range(16)]
            for _ in range(4):
                with db.connect() as connection, pytest.raises(sa.exc.OperationalError):
                    connection.execute(sa.text(drop))
                time.sleep(0.3)
            assert {task.status for task in house.wait(uids)} == {Status.FINISHED}
            time.sleep(1.5)  # the lock went with its connection, and is taken again within a second
            second = Dispatcher(house.settings, db, house.storage)
            with pytest.raises(RestyleError, match="another service"):
                second.start()
        assert house.used() == 16
        db.dispose()


def test_a_finished_run_is_not_finished_twice_by_a_worker_left_behind(house: House) -> None:
    """What a stale worker wrote lies under its own claim, and never shows."""
    uid = house.submit()
    stale = Claims(house.db, house.settings).next()
    assert stale is not None
    with house.dispatcher():
        (task,) = house.wait([uid])
    assert stale.claim not in task.images[0]
    assert not Claims(house.db, house.settings).finish(stale, ["stale"])
    assert house.task(uid).images == task.images
