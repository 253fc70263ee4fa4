"""The service under kill -9, terminations and SIGTERM, over HTTP: nothing is lost, nothing is charged twice."""

import random
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from io import BytesIO
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import psutil
import pytest
import sqlalchemy as sa
from PIL import Image

from restyle.database import open_database, reading, tasks
from tests.support.folders import files
from tests.support.mortal import MortalService
from tests.support.patience import NEVER, PATIENCE, wait_for

TASKS = 24

Start = Callable[..., MortalService]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a service on a port that was free a moment ago."""
    services: list[MortalService] = []

    def start(**settings: Any) -> MortalService:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        service = MortalService(tmp_path / "data", port, **settings)
        services.append(service)
        service.start()
        return service

    yield start
    for service in services:
        service.close()


def submit_surely(service: MortalService, number: int, *orders: str) -> str:
    """As a client does it that must not lose a task, nor pay for it twice: the same request until it is answered."""
    while True:
        try:
            return service.submit(*orders, request_uuid=f"request-{number}")
        except httpx.TransportError:
            time.sleep(0.05)


def check_all_well(service: MortalService, uids: list[str]) -> None:
    """Every task finished once, with its picture, paid once; nothing of it is left over.

    A kill between storing a submission's images and writing down its task leaves images of no task: those go a quarter
    of an hour later, see test_retention.
    """
    assert len(set(uids)) == TASKS
    details = service.wait(uids)
    assert [(task["Status"], task["ErrorCode"], task["ErrorMassage"]) for task in details] == [
        ("Finished", 0, "")
    ] * TASKS
    assert [task["Progress"] for task in details] == [1] * TASKS
    pictures = {pixels(service.download(task["ImgList"][0])) for task in details}
    assert len(pictures) == 1  # one seed, one picture, however often it was begun
    assert service.post("GetCreditBalance")["UsedCredits"] == TASKS
    assert service.post("ListRunningTasks")["TaskUIDList"] == []
    db = open_database(service.database_url)
    with reading(db) as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(tasks)).scalar_one() == TASKS
    db.dispose()
    inputs = service.folder / "objects" / "inputs"
    wait_for(lambda: not any(files(inputs / uid) for uid in uids))


def pixels(png: bytes) -> bytes:
    with Image.open(BytesIO(png)) as image:
        return image.tobytes()


def test_workers_killed_in_the_middle_of_tasks(start: Start, tmp_path: Path) -> None:
    """The last two do not end before all workers were killed that are to be."""
    service = start(task_attempts=10)
    go = tmp_path / "go"
    uids = [service.submit("draw 0.2") for _ in range(TASKS - 2)] + [service.submit(f"until {go}") for _ in range(2)]
    dice = random.Random(1)
    for _ in range(9):
        time.sleep(dice.uniform(0.05, 0.4))
        wait_for(service.workers)
        with suppress(psutil.NoSuchProcess):
            dice.choice(service.workers()).kill()
    assert set(uids[-2:]) <= set(service.post("ListRunningTasks")["TaskUIDList"])
    go.touch()
    assert service.process.poll() is None
    check_all_well(service, uids)


def test_the_service_killed_at_random_moments(start: Start) -> None:
    service = start()
    uids: list[str] = []

    def submit_all() -> None:
        for number in range(TASKS):
            uids.append(submit_surely(service, number, "draw 0.2"))
            time.sleep(0.05)

    client = Thread(target=submit_all)
    client.start()
    dice = random.Random(2)
    for _ in range(4):
        time.sleep(dice.uniform(0.05, 0.8))
        workers = service.workers()
        service.kill()
        wait_for(partial(all_gone, workers))
        service.start()
    client.join(PATIENCE)
    assert [submit_surely(service, number, "draw 0.2") for number in range(TASKS)] == uids
    check_all_well(service, uids)


def test_running_tasks_are_terminated_long_before_their_end(start: Start) -> None:
    service = start()
    orders = [f"draw {NEVER}", f"deaf {NEVER}"]
    uids = [service.submit(orders[number % 2]) for number in range(12)]
    for number in range(0, 12, 2):
        pair, following = uids[number : number + 2], uids[number + 2 : number + 4]
        wait_for(partial(all_have, service, pair, "Running"))
        time.sleep(0.1)  # by now most of the deaf are at work
        workers = service.workers()
        for uid in pair:
            service.post("TerminateTask", TaskUID=uid)
        wait_for(partial(both_stopped, service, workers, following))
    details = service.wait(uids)
    assert {(task["Status"], task["ErrorCode"]) for task in details} == {("Error", 5104)}
    assert service.post("GetCreditBalance")["UsedCredits"] == 0
    uid = service.submit()
    assert service.wait([uid])[0]["Status"] == "Finished"
    assert service.send("TerminateTask", TaskUID=uid).json()["RetCode"] == 4011


def test_sigterm_drains(start: Start, tmp_path: Path) -> None:
    service = start(drain_seconds=NEVER)
    go = tmp_path / "go"
    uids = [service.submit(f"until {go}") for _ in range(TASKS)]
    wait_for(lambda: [task["Status"] for task in service.details(uids)].count("Running") == 2)
    running = [task["TaskUID"] for task in service.details(uids) if task["Status"] == "Running"]
    service.terminate()
    wait_for(service.stopping)
    refused = service.send("ApplyReferenceStyle", **service.task())
    assert refused.status_code == 503
    go.touch()
    assert service.process.wait(PATIENCE) == 0
    service.start()
    details = {task["TaskUID"]: task for task in service.details(uids)}
    assert {details[uid]["Status"] for uid in running} == {"Finished"}
    check_all_well(service, uids)


def test_sigterm_breaks_off_what_does_not_end_in_time(start: Start) -> None:
    service = start(drain_seconds=0.1)
    uids = [service.submit("draw 0.5") for _ in range(TASKS)]
    for _ in range(2):
        time.sleep(0.3)
        service.terminate()
        assert service.process.wait(PATIENCE) == 0
        service.start()
    check_all_well(service, uids)


def all_have(service: MortalService, uids: list[str], status: str) -> bool:
    return {task["Status"] for task in service.details(uids)} == {status}


def all_gone(processes: list[psutil.Process]) -> bool:
    return not any(alive(process) for process in processes)


def both_stopped(service: MortalService, workers: list[psutil.Process], following: list[str]) -> bool:
    """The deaf task stops with its process, if it was at work already; else both processes go on to what follows."""
    gone = not all(alive(worker) for worker in workers)
    return gone or not following or all_have(service, following, "Running")


def alive(process: psutil.Process) -> bool:
    """Whether the process still runs; one that ended and whose end nobody asked about yet does not."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
