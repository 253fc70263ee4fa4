import json
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa

from restyle.database import tasks, writing
from restyle.queue.claim import Claim
from restyle.queue.claims import Claims
from restyle.queue.record import Status
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError
from tests.support.house import House


@pytest.fixture
def house(db: sa.Engine, tmp_path: Path) -> House:
    return House(db, tmp_path / "data", max_unfinished_tasks=2000)


@pytest.fixture
def claims(house: House) -> Claims:
    return house.claims()


def take(claims: Claims) -> Claim:
    claim = claims.next()
    assert claim is not None
    return claim


def test_a_claim_holds_what_was_submitted(house: House, claims: Claims) -> None:
    assert claims.next() is None
    uid, submission = house.submission("draw 1", "äpfel", seeds=(3, 4))
    house.store.submit(uid, submission)
    claim = take(claims)
    assert (claim.uid, claim.seeds) == (uid, (3, 4))
    assert json.loads(claim.plan) == json.loads(json.dumps(submission.plan))
    task = house.task(uid)
    assert task.status == Status.RUNNING
    assert task.started is not None


def test_accounts_take_turns_however_many_tasks_one_has(house: House, claims: Claims) -> None:
    other = house.keys.create(credits=10).account_id
    mine = [house.submit() for _ in range(50)]
    theirs = [house.submit(account=other) for _ in range(3)]
    taken = [take(claims).uid for _ in range(8)]
    assert taken == [mine[0], theirs[0], mine[1], theirs[1], mine[2], theirs[2], mine[3], mine[4]]
    late = house.submit(account=other)
    assert take(claims).uid == late


def test_progress_rises_only(house: House, claims: Claims) -> None:
    uid = house.submit()
    claim = take(claims)
    for told, shown in ((0.3, 0.3), (0.1, 0.3), (0.7, 0.7)):
        assert claims.progress(claim, told)
        assert house.task(uid).progress == pytest.approx(shown)
    claims.interrupt(claim)
    again = take(claims)
    assert claims.progress(again, 0.1)
    assert house.task(uid).progress == pytest.approx(0.7)
    assert not claims.progress(claim, 0.9)
    assert house.task(uid).progress == pytest.approx(0.7)


def test_only_the_run_that_holds_the_task_can_end_it(house: House, claims: Claims) -> None:
    uid = house.submit()
    stale = take(claims)
    assert claims.interrupt_all({stale.claim}) == []
    assert claims.interrupt_all(set()) == [uid]
    assert claims.interrupt_all(set()) == []
    current = take(claims)
    assert not claims.finish(stale, ["stale"])
    assert not claims.fail(stale, Code.ENGINE_FAILED, "stale")
    assert not claims.died(stale)
    assert claims.finish(current, ["current"])
    assert not claims.finish(current, ["twice"])
    assert not claims.fail(current, Code.ENGINE_FAILED, "twice")
    task = house.task(uid)
    assert (task.status, task.images, task.progress, task.error_code) == (Status.FINISHED, ("current",), 1.0, 0)
    assert house.used() == 1


def test_a_failed_task_gives_its_credits_back_once(house: House, claims: Claims) -> None:
    uid = house.submit(cost=5)
    claim = take(claims)
    assert claims.fail(claim, Code.OUT_OF_MEMORY, "no memory")
    assert not claims.fail(claim, Code.OUT_OF_MEMORY, "no memory")
    task = house.task(uid)
    assert (task.status, task.error_code, task.error_message) == (Status.ERROR, 5102, "no memory")
    assert task.finished is not None
    assert house.used() == 0


def test_an_interrupted_task_goes_on_running_and_comes_first(house: House, claims: Claims) -> None:
    first, second = house.submit(), house.submit(account=house.keys.create(credits=5).account_id)
    claim = take(claims)
    claims.interrupt(claim)
    assert house.task(first).status == Status.RUNNING
    again = take(claims)
    assert (again.uid, again.claim != claim.claim) == (first, True)
    assert take(claims).uid == second


def test_interruptions_do_not_count_but_deaths_of_the_worker_do(house: House, claims: Claims) -> None:
    uid = house.submit(cost=2)
    for _ in range(10):
        claims.interrupt(take(claims))
    assert claims.died(take(claims))
    assert claims.died(take(claims))
    assert house.used() == 2
    assert not claims.died(take(claims))
    task = house.task(uid)
    assert (task.status, task.error_code) == (Status.ERROR, 5101)
    assert task.error_message == "the worker process died 3 times while it ran this task"
    assert house.used() == 0
    assert claims.next() is None


def test_whatever_happens_at_once_each_task_ends_once_and_is_paid_for_or_not(house: House, claims: Claims) -> None:
    uids = [house.submit(cost=number % 4) for number in range(40)]

    def work(seed: int) -> None:
        dice = random.Random(seed)
        for _ in range(40):
            match dice.randrange(6):
                case 0:
                    with suppress(RestyleError):
                        house.store.terminate(house.account, dice.choice(uids))
                case 1:
                    claims.interrupt_all(set())
                case _ if claim := claims.next():
                    ends: list[Callable[[], object]] = [
                        partial(claims.finish, claim, [claim.claim]),
                        partial(claims.fail, claim, Code.TIME_LIMIT, "late"),
                        partial(claims.died, claim),
                        partial(claims.interrupt, claim),
                    ]
                    for end in dice.sample(ends, 2):
                        end()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    tasks = house.store.details(house.account, uids)
    assert house.used() == sum(task.cost for task in tasks if task.status != Status.ERROR)
    assert {len(task.images) for task in tasks if task.status == Status.FINISHED} == {1}
    assert all(task.error_code for task in tasks if task.status == Status.ERROR)
    assert len({task.status for task in tasks}) >= 2


def test_what_waits_between_two_runs_can_be_terminated(house: House, claims: Claims) -> None:
    uid = house.submit()
    claims.interrupt(take(claims))
    house.store.terminate(house.account, uid)
    assert claims.next() is None
    assert house.task(uid).error_code == 5104
    assert house.used() == 0


@pytest.mark.parametrize(
    ("column", "text", "says"),
    [
        ("seeds", "{}", "its seeds are no list of numbers"),
        ("seeds", "null", "its seeds are no list of numbers"),
        ("seeds", "[]", "its seeds are no list of numbers"),
        ("seeds", '[5, "6"]', "its seeds are no list of numbers"),
        ("seeds", "[2147483648]", "its seeds are no list of numbers"),
        ("seeds", f"[{'1,' * 1024}1]", "its seeds are no list of numbers"),
        ("spec", f'"{"x" * 17_000_000}"', "its plan is of 17000002 characters"),
        ("seeds", "no JSON", "its seeds are no list of numbers"),
        ("seeds", "[" * 100_000, "its seeds are no list of numbers"),
        ("seeds", b"\xff\xfe", "its seeds are no list of numbers"),
    ],
)
def test_a_row_that_cannot_be_read_ends_its_task_and_no_other(
    house: House, claims: Claims, column: str, text: str | bytes, says: str
) -> None:
    bad, good = house.submit(cost=3), house.submit()
    damage(house, bad, column, text)
    assert take(claims).uid == good
    (task, other) = house.store.details(house.account, [bad, good])
    assert (task.status, task.error_code) == (Status.ERROR, 5000)
    assert task.error_message.startswith(f"the stored task cannot be read by this release: {says}")
    assert other.status == Status.RUNNING
    assert house.used() == 1


@pytest.mark.parametrize("text", ["[1, 2]", "{}", "no JSON", '{"model_code": 5}'])
def test_a_plan_is_handed_on_unread(house: House, claims: Claims, text: str) -> None:
    uid = house.submit()
    damage(house, uid, "spec", text)
    claim = take(claims)
    assert (claim.uid, claim.plan) == (uid, text if house.db.dialect.name == "sqlite" or text != "no JSON" else "17")
    assert claims.finish(claim, ["x"])
    assert house.task(uid).images == ("x",)


@pytest.mark.parametrize("text", ["{}", "no JSON", b"\xff"])
def test_images_that_cannot_be_read_are_none(house: House, claims: Claims, text: str | bytes) -> None:
    uid = house.submit()
    assert claims.finish(take(claims), ["x"])
    damage(house, uid, "images", text)
    assert house.task(uid).images == ()
    assert house.store.result(uid, 0) is None


@pytest.mark.parametrize("text", ["{}", '"text"', "no JSON"])
def test_notices_that_cannot_be_read_give_way_to_new_ones(house: House, claims: Claims, text: str) -> None:
    uid = house.submit()
    damage(house, uid, "notices", text)
    assert house.task(uid).notices == ()
    assert claims.finish(take(claims), ["x"], ["new"])
    assert house.task(uid).notices == ("new",)


def test_a_row_that_cannot_even_be_ended_is_left_alone(house: House, claims: Claims) -> None:
    bad, good = house.submit(), house.submit()
    damage(house, bad, "seeds", "{}")
    with writing(house.db) as connection:  # its credits cannot be returned: more than was ever used
        connection.execute(sa.update(tasks).where(tasks.c.uid == bad).values(cost=900))
    assert take(claims).uid == good
    assert claims.next() is None
    assert house.task(bad).status == Status.QUEUING


def damage(house: House, uid: str, column: str, text: str | bytes) -> None:
    """Write what no release writes, as far as the database takes it: PostgreSQL keeps nothing there but JSON."""
    if house.db.dialect.name == "postgresql":
        try:
            json.loads(text)
        except (ValueError, RecursionError):
            text = "17"
    value = "CAST(:text AS json)" if house.db.dialect.name == "postgresql" else ":text"
    with writing(house.db) as connection:
        connection.execute(sa.text(f"UPDATE tasks SET {column} = {value} WHERE uid = :uid"), {"text": text, "uid": uid})


def test_a_higher_priority_goes_before_turns_and_positions_say_so(house: House, claims: Claims) -> None:
    other = house.keys.create(credits=10).account_id
    plain = [house.submit() for _ in range(2)]
    urgent = [house.submit(account=other, priority=5) for _ in range(2)]
    late = house.submit(priority=5)
    places = {uid: house.task(uid).queue_position for uid in [*plain, late]}
    assert places == {late: 1, plain[0]: 4, plain[1]: 5}
    assert [take(claims).uid for _ in range(5)] == [late, urgent[0], urgent[1], *plain]
