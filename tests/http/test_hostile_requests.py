import time
from collections.abc import Iterator

import psutil
import pytest

from tests.support.hostile import MAX_IMAGE_BYTES, Case, table
from tests.support.patience import wait_for
from tests.support.service import RunningService, running

TABLE = table()
SLACK = 24 * 1024 * 1024
"""Bytes by which the memory of a process may differ though nothing is kept."""


@pytest.fixture(scope="module")
def exposed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with running(
        tmp_path_factory.mktemp("exposed"),
        max_image_bytes=MAX_IMAGE_BYTES,
        max_unfinished_tasks=10_000,
        requests_per_minute=100_000,
    ) as service:
        yield service


def test_the_table_is_as_large_as_it_should_be() -> None:
    assert len(TABLE) >= 150
    assert len({case.name for case in TABLE}) == len(TABLE)


def test_each_gets_its_answer_and_the_service_is_as_it_was(exposed: RunningService) -> None:
    """A good request right after each works. The whole table, once more after once, adds neither memory nor file
    handles; nothing went wrong inside."""
    for case in TABLE:
        answer_right(exposed, case)
    settle(exposed)
    process = psutil.Process(exposed.process.pid)
    memory, handles, threads = process.memory_info().rss, process.num_fds(), process.num_threads()
    accepted: dict[str, str] = {}
    for case in TABLE:
        answer = case.send(exposed).json()
        assert answer["RetCode"] == case.code, case.name
        if "TaskUID" in answer:
            accepted[case.name] = answer["TaskUID"]
    settle(exposed)
    assert process.memory_info().rss <= memory + SLACK
    assert process.num_fds() <= handles + 3  # one more connection to the database, its log and its index
    assert process.num_threads() <= threads + 2
    assert '"level": "error"' not in exposed.log.read_text()
    for name, uid in accepted.items():
        detail = exposed.task(uid)
        assert (detail["Status"], detail["ErrorMessage"]) == ("Finished", ""), name


def answer_right(service: RunningService, case: Case) -> None:
    """That request gets the answer that the table says, and a good one right after works."""
    response = case.send(service)
    answer = response.json()
    told = (case.name, answer)
    assert (answer["RetCode"], answer.get("Field"), response.status_code) == (case.code, case.field, case.status), told
    if case.code:
        assert answer["Message"], told
        assert len(answer["Message"]) < 400, told
        assert case.field is None or case.field in answer["Message"], told
        assert "TaskUID" not in answer, told
    good = service.http.post("/", json=service.sign({"Action": "ListRunningTasks"}))
    assert (good.status_code, good.json()["RetCode"]) == (200, 0), told


def settle(service: RunningService) -> None:
    """Wait until the good ones among them are drawn."""
    wait_for(lambda: not service.call("ListRunningTasks")["TaskUIDList"])
    time.sleep(0.3)
