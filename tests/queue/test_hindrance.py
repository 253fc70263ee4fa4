"""Storage that fails: tasks wait for it, no attempt is counted, and the service says so."""

import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest

from restyle.database import open_database
from restyle.queue.probe import Probe
from restyle.queue.record import Status
from restyle.settings import Settings
from restyle.storage import StorageError, input_key, open_storage
from tests.support.databases import sqlite_database
from tests.support.house import House
from tests.support.patience import PATIENCE, wait_for


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    db = open_database(sqlite_database(tmp_path / "data" / "restyle.sqlite3"))
    yield House(db, tmp_path / "data", task_attempts=1)
    db.dispose()


@contextmanager
def away(objects: Path, instead: Literal["file", "folder", "nothing"] = "file") -> Iterator[None]:
    """The folder of objects is somewhere else, and in its place is what cannot be written to, not even by root; or the
    empty folder of a disk that is not mounted; or nothing.
    """
    aside = objects.with_name("aside")
    objects.rename(aside)
    match instead:
        case "file":
            objects.touch()
        case "folder":
            objects.mkdir()
    try:
        yield
    finally:
        match instead:
            case "file":
                objects.unlink()
            case "folder":
                objects.rmdir()
        aside.rename(objects)


@pytest.mark.parametrize("instead", ["file", "folder", "nothing"])
def test_tasks_wait_for_storage_that_is_away(house: House, instead: Literal["file", "folder", "nothing"]) -> None:
    objects = house.settings.data_dir / "objects"
    marker = house.settings.data_dir / "go"
    with house.dispatcher() as dispatcher:
        drawing = [house.submit(f"until {marker}")]
        waiting = [house.submit() for _ in range(3)]
        dispatcher.notify()
        house.wait_until(drawing, lambda task: task.status == Status.RUNNING and task.progress > 0.04)
        with away(objects, instead):
            marker.touch()
            wait_for(lambda: dispatcher.storage_trouble() is not None)
            wait_for(lambda: dispatcher.trouble() in ("storage cannot be written", "storage cannot be read"))
            assert not dispatcher.ready()
            tasks = house.store.details(house.account, [*drawing, *waiting])
            assert not {task.status for task in tasks} & {Status.FINISHED, Status.ERROR}
        assert {task.status for task in house.wait([*drawing, *waiting])} == {Status.FINISHED}
        wait_for(dispatcher.ready)
    assert house.used() == 4


def test_storage_that_takes_small_objects_only_burns_no_task(house: House) -> None:
    """As a disk with little room: the result does not fit, a small probe does."""
    with house.dispatcher() as dispatcher:
        wait_for(lambda: len(dispatcher.pids()) == 1)
        full = dispatcher.pids()
        for pid in full:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (16, resource.RLIM_INFINITY))
        uid = house.submit()
        dispatcher.notify()
        wait_for(lambda: dispatcher.storage_trouble() is not None)
        for pid in full:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert house.wait([uid])[0].status == Status.FINISHED
        assert dispatcher.pids() == full
    assert house.used() == 1


def test_an_image_that_alone_cannot_be_read_ends_its_task_only(house: House) -> None:
    uid, submission = house.submission()
    house.store.submit(uid, submission)
    image = house.settings.data_dir / "objects" / input_key(uid, 0)
    image.unlink()
    image.mkdir()  # what is there is no file, and reading it fails as a damaged sector does
    with house.dispatcher() as dispatcher:
        good = [house.submit() for _ in range(2)]
        dispatcher.notify()
        (bad,) = house.wait([uid])
        assert {task.status for task in house.wait(good)} == {Status.FINISHED}
    assert (bad.error_code, bad.error_message) == (5000, "a stored image of the task cannot be read any more")
    assert house.used() == 2


def test_an_image_that_is_gone_ends_its_task_only(house: House) -> None:
    uid, submission = house.submission()
    house.store.submit(uid, submission)
    (house.settings.data_dir / "objects" / input_key(uid, 1)).unlink()
    with house.dispatcher():
        (task,) = house.wait([uid])
    assert (task.error_code, task.error_message) == (5000, f"a stored image of the task is gone: {input_key(uid, 1)}")
    assert house.used() == 0


def test_what_waits_for_storage_runs_after_the_next_start(house: House) -> None:
    uid = house.submit()
    objects = house.settings.data_dir / "objects"
    with house.dispatcher() as dispatcher:
        house.wait([uid])
        uid, submission = house.submission()
        with away(objects):
            house.store.submit(uid, submission)
            dispatcher.notify()
            wait_for(lambda: dispatcher.storage_trouble() is not None)
            dispatcher.stop()
    with house.dispatcher():
        assert house.wait([uid])[0].status == Status.FINISHED


def test_a_probe_asks_for_as_much_room_as_was_missing(tmp_path: Path) -> None:
    storage = open_storage(Settings(data_dir=tmp_path))
    recovered: list[int] = []
    probe = Probe(storage, lambda: recovered.append(1))
    probe.start()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
        probe.failed(200_000)
        assert probe.trouble == "storage cannot be written"
        with pytest.raises(StorageError):
            storage.put("results/x", bytes(200_000))
        storage.put("results/x", bytes(50_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    wait_for(lambda: probe.trouble is None)
    wait_for(lambda: recovered == [1])
    probe.stop(PATIENCE)
    assert list(storage.names("probes/")) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"a disk of its own needs the right to mount: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_is_waited_for(small_disk: Path) -> None:
    db = open_database(f"sqlite:///{small_disk / 'data' / 'restyle.sqlite3'}")
    house = House(db, small_disk / "data", task_attempts=1)
    filler = small_disk / "filler"
    with house.dispatcher() as dispatcher:
        full = small_disk.with_name("full")
        uids = [house.submit(f"until {full}") for _ in range(4)]
        fill(filler)
        full.touch()
        dispatcher.notify()
        wait_for(lambda: dispatcher.trouble() is not None)
        assert not {task.status for task in house.store.details(house.account, uids)} & {Status.FINISHED, Status.ERROR}
        filler.unlink()
        assert {task.status for task in house.wait(uids)} == {Status.FINISHED}
        wait_for(dispatcher.ready)
    assert house.used() == 4
    db.dispose()


def fill(file: Path) -> None:
    """Make the file as large as the disk allows."""
    with file.open("wb", buffering=0) as stream:
        for size in (65536, 4096, 1):
            try:
                while stream.write(bytes(size)) == size:
                    pass
            except OSError:
                continue
