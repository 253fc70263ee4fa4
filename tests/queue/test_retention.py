import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from restyle.database import reading, requests, tasks, writing
from restyle.queue.record import Status
from restyle.queue.retention import Retention
from restyle.queue.store import SUBMISSION_SECONDS
from restyle.queue.uid import created
from restyle.storage import result_key
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError
from tests.support.house import House
from tests.support.patience import PATIENCE, wait_for

OLD_UID = "cktlm6lrh4miq8ng9nf0"


@pytest.fixture
def house(db: sa.Engine, tmp_path: Path) -> House:
    return House(db, tmp_path / "data")


@pytest.fixture
def retention(house: House) -> Retention:
    return Retention(house.db, house.storage, house.settings)


@contextmanager
def thread(house: House) -> Iterator[Retention]:
    retention = Retention(house.db, house.storage, house.settings)
    retention.start()
    try:
        yield retention
    finally:
        retention.stop(PATIENCE)


def finished(house: House) -> str:
    """The uid of a task that has a stored result."""
    house.submit()
    claims = house.claims()
    claim = claims.next()
    assert claim is not None
    key = result_key(claim.uid, claim.claim, 0)
    house.storage.put(key, b"picture")
    claims.finish(claim, [key])
    return claim.uid


def age(house: House, seconds: float) -> None:
    """Make everything older."""
    with writing(house.db) as connection:
        changed = {name: tasks.c[name] - seconds for name in ("created", "finished", "expires")}
        connection.execute(sa.update(tasks).values(changed))
        connection.execute(sa.update(requests).values(created=requests.c.created - seconds))


def test_inputs_go_when_their_task_has_ended(house: House) -> None:
    done, waiting, failed = finished(house), house.submit(), house.submit()
    house.store.terminate(house.account, failed)
    house.storage.put(result_key(failed, "claim", 0), b"half done")
    with thread(house) as retention:
        for uid in (done, waiting, failed):
            retention.ended(uid)
        wait_for(lambda: list(house.storage.names("inputs/")) == [waiting])
        wait_for(lambda: list(house.storage.names("results/")) == [done])
    assert house.store.result(done, 0)


def test_a_sweep_finds_what_a_crash_left(house: House, retention: Retention) -> None:
    done, waiting, failed = finished(house), house.submit(), house.submit()
    house.store.terminate(house.account, failed)
    house.storage.put(result_key(failed, "claim", 0), b"half done")
    unborn, _ = house.submission()  # stored just now; its task may follow
    house.storage.put(f"inputs/{OLD_UID}/0", b"its task never came")
    house.storage.put(f"results/{OLD_UID}/claim/0.png", b"its record is gone")
    house.storage.put(f"probes/{OLD_UID}/0", b"was to be read and deleted")
    house.storage.put("inputs/notes-of-the-operator/0", b"not ours")
    (house.settings.data_dir / "objects" / "inputs" / f"{OLD_UID[:-1]}g").mkdir()  # a kill before the first file
    assert created(OLD_UID) < time.time() - 3600
    retention.sweep()
    assert sorted(house.storage.names("inputs/")) == sorted([waiting, unborn, "notes-of-the-operator"])
    assert list(house.storage.names("results/")) == [done]
    assert list(house.storage.names("probes/")) == []


def test_a_clock_that_is_set_forward_takes_no_accepted_task_its_pictures(
    house: House, retention: Retention, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sweep goes by PostgreSQL's clock; where it is this machine's, the submission that it overtook is refused."""
    uid, submission = house.submission()
    ahead = time.time() + 2 * SUBMISSION_SECONDS
    monkeypatch.setattr(time, "time", lambda: ahead)
    retention.sweep()
    if uid in house.storage.names("inputs/"):
        assert house.store.submit(uid, submission) == uid
    else:
        with pytest.raises(RestyleError, match="send it again") as error:
            house.store.submit(uid, submission)
        assert error.value.code == Code.QUEUE_FULL
        assert house.store.unfinished(house.account) == []
    assert (uid in house.storage.names("inputs/")) == (house.db.dialect.name == "postgresql")


def test_results_go_after_their_time_and_the_record_stays(house: House, retention: Retention) -> None:
    uid = finished(house)
    age(house, 24 * 3600 - 60)
    retention.sweep()
    assert house.store.result(uid, 0)
    age(house, 120)
    assert house.store.result(uid, 0) is None  # at the moment, not at the next sweep
    retention.sweep()
    assert list(house.storage.names("results/")) == []
    task = house.task(uid)
    assert (task.status, task.images) == (Status.FINISHED, ())
    assert house.store.result(uid, 0) is None


def test_records_go_after_theirs_and_unfinished_tasks_never(house: House, retention: Retention) -> None:
    uid, failed = finished(house), house.submit()
    house.claims().next()
    house.store.terminate(house.account, failed)
    waiting = house.submit()
    age(house, 30 * 24 * 3600 - 60)
    retention.sweep()
    assert len(house.store.details(house.account, [uid, failed, waiting])) == 3
    age(house, 120)
    retention.sweep()
    for gone in (uid, failed):
        with pytest.raises(RestyleError) as error:
            house.task(gone)
        assert error.value.code == Code.TASK_NOT_FOUND
    assert house.store.unfinished(house.account) == [waiting]
    assert list(house.storage.names("inputs/")) == [waiting]


def test_request_uuids_go_after_a_day(house: House, retention: Retention) -> None:
    uid, submission = house.submission(request_uuid="r-1")
    house.store.submit(uid, submission)
    retention.sweep()
    assert house.store.find_repeat(house.account, "r-1", submission.signature, submission.body_digest) == uid
    age(house, 24 * 3600 + 1)
    retention.sweep()
    with house.db.connect() as connection:
        assert connection.execute(sa.select(requests)).all() == []


def test_many_are_swept_in_one_go(house: House, retention: Retention) -> None:
    uid = finished(house)
    with writing(house.db) as connection:
        row = connection.execute(sa.select(tasks).where(tasks.c.uid == uid)).one()._asdict()
        del row["id"]
        connection.execute(sa.insert(tasks), [{**row, "uid": f"{number:020}"} for number in range(1200)])
    age(house, 25 * 3600)
    retention.sweep()
    with house.db.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).where(tasks.c.swept.is_(False))).scalar_one() == 0


def test_sweeps_repeat_and_survive_a_storage_that_fails(db: sa.Engine, tmp_path: Path) -> None:
    house = House(db, tmp_path / "data", sweep_seconds=0.1)
    inputs = house.settings.data_dir / "objects" / "inputs"
    uid = finished(house)
    with thread(house) as retention:
        wait_for(lambda: not (inputs / uid).exists())
        shutil.rmtree(inputs)
        inputs.write_text("a file where a folder belongs")
        retention.ended(uid)
        time.sleep(0.3)
        inputs.unlink()
        inputs.mkdir()
        house.storage.put(f"inputs/{OLD_UID}/0", b"its task never came")
        wait_for(lambda: list(house.storage.names("inputs/")) == [])
    assert list(house.storage.names("inputs/")) == []


def test_what_cannot_be_deleted_holds_up_nothing_else(db: sa.Engine, tmp_path: Path) -> None:
    house = House(db, tmp_path / "data", result_seconds=1)
    results = house.settings.data_dir / "objects" / "results"
    stuck, others = finished(house), [finished(house) for _ in range(2)]
    with writing(db) as connection:
        connection.execute(sa.update(tasks).values(expires=1.0))
    shutil.rmtree(results / stuck)
    (results / stuck).write_text("a file where a folder belongs")
    Retention(db, house.storage, house.settings).sweep()
    assert not any((results / uid).exists() for uid in others)
    with reading(db) as connection:
        left = connection.scalars(sa.select(tasks.c.uid).where(tasks.c.swept.is_(False))).all()
    assert left == [stuck]
