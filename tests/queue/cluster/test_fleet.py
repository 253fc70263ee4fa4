"""A fleet over HTTP: one address for clients, the drawing elsewhere."""

import time
from io import BytesIO
from pathlib import Path

from PIL import Image

from tests.support.fleet import Town
from tests.support.patience import NEVER, wait_for


def test_a_task_goes_through(fleet: Town) -> None:
    api = fleet.add("api", wait=False)
    worker = fleet.add("worker")
    api.wait_until_ready()
    began = time.monotonic()
    uid = api.submit()
    (task,) = api.wait([uid])
    print("seconds", time.monotonic() - began)
    assert (task["Status"], task["ErrorCode"]) == ("Finished", 0), task
    with Image.open(BytesIO(api.download(task["ImgList"][0]))) as image:
        assert (image.format, image.size) == ("PNG", (80, 64))
    assert not (worker.folder / "key").exists()
    assert not (worker.folder / "objects").exists()
    assert not (api.folder / "objects").exists()
    assert api.post("GetCreditBalance")["UsedCredits"] == 1


def test_a_machine_that_vanishes_loses_nothing(fleet: Town, tmp_path: Path) -> None:
    """Its whole process group gone at once; the tasks that it ran run elsewhere, once as clients see it."""
    api = fleet.add("api", wait=False)
    first = fleet.add("worker", workers=2)
    api.wait_until_ready()
    go = tmp_path / "go"
    uids = [api.submit(f"until {go}", request_uuid=f"request-{number}") for number in range(4)]
    wait_for(lambda: [task["Status"] for task in api.details(uids)].count("Running") == 2)
    fleet.add("worker", workers=2)
    wait_for(lambda: [task["Status"] for task in api.details(uids)].count("Running") == 4)
    first.vanish()
    go.touch()
    details = api.wait(uids)
    assert [(task["Status"], task["ErrorCode"]) for task in details] == [("Finished", 0)] * 4
    assert api.post("GetCreditBalance")["UsedCredits"] == 4
    assert [api.submit(f"until {go}", request_uuid=f"request-{number}") for number in range(4)] == uids


def test_a_machine_that_was_only_slow_publishes_no_second_result(fleet: Town, tmp_path: Path) -> None:
    """Paused past its time, it goes on with a run that another has taken over and ended."""
    api = fleet.add("api", wait=False)
    first = fleet.add("worker")
    api.wait_until_ready()
    go = tmp_path / "go"
    uid = api.submit(f"until {go}")
    wait_for(lambda: api.details([uid])[0]["Progress"] > 0)
    first.pause()
    go.touch()
    fleet.add("worker")
    (task,) = api.wait([uid])
    assert task["Status"] == "Finished"
    image = api.download(task["ImgList"][0])
    first.resume()
    first.wait_until_ready()
    assert api.details([uid]) == [task]
    assert api.download(task["ImgList"][0]) == image
    assert api.post("GetCreditBalance")["UsedCredits"] == 1
    uids = [api.submit() for _ in range(6)]  # and it draws again, under another number
    assert {each["Status"] for each in api.wait(uids)} == {"Finished"}


def test_a_task_is_terminated_wherever_it_runs(fleet: Town) -> None:
    first = fleet.add("api", wait=False)
    fleet.add("worker", workers=2)
    first.wait_until_ready()
    uids = [first.submit(f"draw {NEVER}"), first.submit(f"deaf {NEVER}")]
    wait_for(lambda: {task["Status"] for task in first.details(uids)} == {"Running"})
    began = time.monotonic()
    for uid in uids:
        first.post("TerminateTask", TaskUID=uid)
    after = first.submit()
    assert first.wait([after])[0]["Status"] == "Finished"
    print("free again after", time.monotonic() - began)
    assert {(task["Status"], task["ErrorCode"]) for task in first.details(uids)} == {("Error", 5104)}
    assert first.post("GetCreditBalance")["UsedCredits"] == 1


def test_restarts_one_after_the_other_lose_nothing(fleet: Town) -> None:
    """Workers and APIs are ended by SIGTERM and replaced while clients submit; a running task is waited for."""
    apis = [fleet.add("api", wait=False)]
    workers = [fleet.add("worker")]
    apis[0].wait_until_ready()
    uids = [apis[0].submit("draw 0.2", request_uuid=f"a-{number}") for number in range(6)]
    workers.append(fleet.add("worker"))
    workers[0].terminate()
    uids += [apis[0].submit("draw 0.2", request_uuid=f"b-{number}") for number in range(6)]
    assert workers[0].process.wait(60) == 0
    apis.append(fleet.add("api"))
    apis[0].terminate()
    apis[1].adopt(apis[0])
    uids += [apis[1].submit("draw 0.2", request_uuid=f"c-{number}") for number in range(6)]
    assert apis[0].process.wait(60) == 0
    details = apis[1].wait(uids)
    assert {(task["Status"], task["ErrorCode"]) for task in details} == {("Finished", 0)}
    assert len(set(uids)) == len(uids)
    assert apis[1].post("GetCreditBalance")["UsedCredits"] == len(uids)
