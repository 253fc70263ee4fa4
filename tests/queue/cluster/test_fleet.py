"""A fleet over HTTP, under the faults that machines have: nothing is lost, nothing is charged or published twice."""

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from PIL import Image

from restyle.database import machines, open_database, reading, writing
from restyle.queue.cluster.jobs import Calls
from restyle.queue.dispatch import Dispatcher
from restyle.settings import Settings
from restyle.storage import open_storage
from restyle.wire.errors import RestyleError
from tests.support.fleet import Town
from tests.support.patience import NEVER, PATIENCE, wait_for

WELL = ("Finished", 0)


def ends(tasks: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(task["Status"], task["ErrorCode"]) for task in tasks]


def used(fleet: Town) -> int:
    return int(fleet.api.post("GetCreditBalance")["UsedCredits"])


def running(fleet: Town, uids: list[str]) -> int:
    return [task["Status"] for task in fleet.api.details(uids)].count("Running")


def test_a_task_goes_through(fleet: Town) -> None:
    before = used(fleet)
    (task,) = fleet.api.wait([fleet.api.submit()])
    assert ends([task]) == [WELL]
    with Image.open(BytesIO(fleet.api.download(task["ImgList"][0]))) as image:
        assert (image.format, image.size) == ("PNG", (80, 64))
    assert not (fleet.workers[0].folder / "key").exists()
    assert not any((each.folder / "objects").exists() for each in fleet.members)
    assert used(fleet) == before + 1


def test_a_job_that_is_delivered_twice_is_drawn_once(fleet: Town) -> None:
    """Procrastinate's promise is at least once; and a call may be for a task that is gone."""
    before = used(fleet)
    db = open_database(str(fleet.settings["database_url"]))
    uid = fleet.api.submit("draw 0.3")
    with writing(db) as connection:
        Calls().call(connection, [(uid, "obedient -")] * 3 + [("nobody", "")])
    assert ends(fleet.api.wait([uid])) == [WELL]
    jobs = sa.text("SELECT count(*) FROM procrastinate_jobs WHERE args->>'uid' IN (:uid, 'nobody')")

    def drained() -> bool:
        with reading(db) as connection:
            return bool(connection.execute(jobs, {"uid": uid}).scalar_one() == 0)

    wait_for(drained)
    db.dispose()
    assert used(fleet) == before + 1


def test_a_service_that_would_run_all_tasks_alone_stays_out(fleet: Town, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, database_url=str(fleet.settings["database_url"]))
    db = open_database(settings.database())
    with pytest.raises(RestyleError, match="another service already runs the tasks of"):
        Dispatcher(settings, db, open_storage(settings)).start()
    db.dispose()


def test_what_nobody_can_draw_is_refused_with_a_sentence(fleet: Town) -> None:
    offered = fleet.api.post("ListModels")["MainModels"]
    assert "Obedient" in offered
    missing = fleet.api.task() | {"MainModel": {"ModelCode": "Elsewhere"}}
    answer = fleet.api.send("ApplyReferenceStyle", **missing).json()
    assert answer["RetCode"] == 4004
    assert "ListModels names those there are" in answer["Message"]


def test_a_task_is_terminated_wherever_it_runs(fleet: Town) -> None:
    before = used(fleet)
    uids = [fleet.api.submit(f"draw {NEVER}"), fleet.api.submit(f"deaf {NEVER}")]
    wait_for(lambda: running(fleet, uids) == 2)
    for uid in uids:
        fleet.api.post("TerminateTask", TaskUID=uid)
    after = fleet.api.submit()  # both workers were busy, and would be for long
    assert ends(fleet.api.wait([after])) == [WELL]
    assert ends(fleet.api.details(uids)) == [("Error", 5104)] * 2
    assert used(fleet) == before + 1


def test_a_machine_that_vanishes_loses_nothing(fleet: Town, tmp_path: Path) -> None:
    """Its whole process group is gone at once; what it ran runs elsewhere, once as clients see it."""
    before, go = used(fleet), tmp_path / "go"
    marks = [f"vanish-{number}" for number in range(4)]
    uids = [fleet.api.submit(f"until {go}", request_uuid=mark) for mark in marks]
    wait_for(lambda: running(fleet, uids) == 2)
    first = fleet.workers[0]
    fleet.add("worker")
    wait_for(lambda: running(fleet, uids) == 4)
    first.vanish()
    go.touch()
    assert ends(fleet.api.wait(uids)) == [WELL] * 4
    assert [fleet.api.submit(f"until {go}", request_uuid=mark) for mark in marks] == uids
    assert used(fleet) == before + 4


def test_a_machine_that_was_only_slow_publishes_no_second_result(fleet: Town, tmp_path: Path) -> None:
    """Paused past its time, it goes on with a run that another has taken over and ended."""
    before, go = used(fleet), tmp_path / "go"
    uid = fleet.api.submit(f"until {go}")
    wait_for(lambda: fleet.api.details([uid])[0]["Progress"] > 0)
    slow = fleet.workers[0]
    slow.pause()
    go.touch()
    fleet.add("worker")
    (task,) = fleet.api.wait([uid])
    assert ends([task]) == [WELL]
    image = fleet.api.download(task["ImgList"][0])
    db = open_database(str(fleet.settings["database_url"]))

    def heard() -> bool:
        with reading(db) as connection:
            return slow.folder.name in connection.scalars(sa.select(machines.c.name))

    wait_for(lambda: not heard())
    slow.resume()
    wait_for(heard)
    db.dispose()
    slow.wait_until_ready()
    assert fleet.api.details([uid]) == [task]
    assert fleet.api.download(task["ImgList"][0]) == image
    assert used(fleet) == before + 1
    slow.terminate()  # the next test finds one machine that draws, as this one did
    assert slow.process.wait(PATIENCE) == 0


def test_restarts_one_after_the_other_lose_nothing(fleet: Town) -> None:
    """A worker and the API are ended by SIGTERM while clients submit; another API takes over."""
    before, old, first = used(fleet), fleet.api, fleet.workers[0]
    fleet.add("worker")
    uids = [old.submit("draw 0.2", request_uuid=f"a-{number}") for number in range(6)]
    first.terminate()
    uids += [old.submit("draw 0.2", request_uuid=f"b-{number}") for number in range(3)]
    assert first.process.wait(PATIENCE) == 0
    new = fleet.add("api")
    old.terminate()
    uids += [new.submit("draw 0.2", request_uuid=f"c-{number}") for number in range(3)]
    assert old.process.wait(PATIENCE) == 0
    assert ends(new.wait(uids)) == [WELL] * 12
    assert used(fleet) == before + 12
