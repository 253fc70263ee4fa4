import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from restyle.database import reading, requests, tasks, writing
from restyle.queue.record import Status
from restyle.queue.store import Submission
from restyle.wire.errors import RestyleError
from tests.support.house import House


@pytest.fixture
def house(db: sa.Engine, tmp_path: Path) -> House:
    return House(db, tmp_path / "data", max_unfinished_tasks=8, max_queued_tasks=12)


def test_a_task_is_accepted_charged_and_queued(house: House) -> None:
    before = time.time()
    uid = house.submit(cost=3, seeds=(5, 6), notices=("prompts are not understood",))
    task = house.task(uid)
    assert (task.uid, task.action, task.status) == (uid, "ApplyReferenceStyle", Status.QUEUING)
    assert (task.seed, task.seeds, task.cost, task.progress) == (5, (5, 6), 3, 0.0)
    assert (task.queue_position, task.images, task.error_code, task.error_message) == (1, (), 0, "")
    assert task.notices == ("prompts are not understood",)
    assert before <= task.created <= time.time()
    assert (task.started, task.finished, task.expires) == (None, None, None)
    assert house.used() == 3
    assert house.store.unfinished(house.account) == [uid]
    assert house.store.counts() == {Status.QUEUING: 1, Status.RUNNING: 0}


def test_details_come_in_the_order_asked(house: House) -> None:
    uids = [house.submit() for _ in range(3)]
    asked = [uids[2], uids[0], uids[2], uids[1]]
    assert [task.uid for task in house.store.details(house.account, asked)] == asked
    assert house.store.unfinished(house.account) == uids


def test_tasks_of_another_account_are_not_there(house: House) -> None:
    uid = house.submit()
    stranger = house.keys.create(credits=1).account_id
    for ask in (lambda: house.store.details(stranger, [uid]), lambda: house.store.terminate(stranger, uid)):
        with pytest.raises(RestyleError, match=uid) as error:
            ask()
        assert error.value.code == 4006
    assert house.store.unfinished(stranger) == []
    with pytest.raises(RestyleError, match="nowhere"):
        house.store.details(house.account, [uid, "nowhere"])


def test_a_task_that_cannot_be_paid_is_not_accepted(house: House) -> None:
    house.submit(cost=999)
    with pytest.raises(RestyleError) as error:
        house.submit(cost=2)
    assert error.value.code == 4007
    assert house.used() == 999
    assert len(house.store.unfinished(house.account)) == 1


def test_an_account_may_have_so_many_unfinished_tasks_and_the_queue_so_many_at_all(house: House) -> None:
    uids = [house.submit() for _ in range(8)]
    with pytest.raises(RestyleError, match="8 unfinished tasks") as error:
        house.submit()
    assert error.value.code == 4009
    house.store.terminate(house.account, uids[0])
    house.submit()
    other = house.keys.create(credits=100).account_id
    for _ in range(4):
        house.submit(account=other)
    with pytest.raises(RestyleError, match="12 tasks of all accounts") as error:
        house.submit(account=other)
    assert error.value.code == 4009
    assert house.used() == 8


def test_limits_hold_for_submissions_at_the_same_moment(house: House) -> None:
    def submit(_: int) -> int:
        try:
            house.submit()
        except RestyleError as error:
            return error.code
        return 0

    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(submit, range(24)))
    assert sorted(codes) == [0] * 8 + [4009] * 16
    assert house.used() == 8


def test_the_same_request_again_is_the_same_task(house: House) -> None:
    uid, submission = house.submission(request_uuid="r-1")
    assert house.store.find_repeat(house.account, "r-1", submission.signature, submission.body_digest) is None
    assert house.store.submit(uid, submission) == uid
    assert house.store.find_repeat(house.account, "r-1", submission.signature, submission.body_digest) == uid
    assert house.store.submit(house.submission()[0], submission) == uid
    assert house.used() == 1
    for mark in (None, ""):
        assert house.store.find_repeat(house.account, mark, "another", submission.body_digest) is None


def test_the_same_request_uuid_with_another_body_is_refused(house: House) -> None:
    uid, submission = house.submission(request_uuid="r-1")
    house.store.submit(uid, submission)
    other = replace(submission, body_digest=b"other")
    with pytest.raises(RestyleError, match="r-1") as error:
        house.store.find_repeat(house.account, "r-1", "another", b"other")
    assert (error.value.code, error.value.field) == (4010, "request_uuid")
    with pytest.raises(RestyleError, match="r-1"):
        house.store.submit(house.submission()[0], other)
    assert house.used() == 1


def test_a_signed_text_cut_into_another_request_is_refused(house: House) -> None:
    uid, submission = house.submission(request_uuid="r-1")
    house.store.submit(uid, submission)
    for mark in (None, "", "r-2"):
        cut = replace(submission, request_uuid=mark, body_digest=b"" if not mark else b"other")
        with pytest.raises(RestyleError, match="the same signed text came before, cut into other fields") as error:
            house.store.find_repeat(house.account, mark, cut.signature, cut.body_digest)
        assert (error.value.code, error.value.field) == (4010, "request_uuid")
        with pytest.raises(RestyleError, match="r-1"):
            house.store.submit(house.submission()[0], cut)
    assert house.store.submit(house.submission()[0], submission) == uid
    assert house.used() == 1
    assert house.store.unfinished(house.account) == [uid]


def test_a_request_without_request_uuid_may_repeat(house: House) -> None:
    _, submission = house.submission()
    uids = {house.store.submit(house.submission()[0], submission) for _ in range(3)}
    assert len(uids) == 3
    assert house.used() == 3


def test_cut_and_uncut_at_once_run_once(house: House) -> None:
    _, submission = house.submission(request_uuid="r-1")
    house.store.submit(house.submission()[0], submission)
    cuts = [replace(submission, request_uuid=f"r-{number % 3}" if number % 3 else None) for number in range(12)]

    def submit(cut: Submission) -> str | int:
        try:
            return house.store.submit(house.submission()[0], cut)
        except RestyleError as error:
            return error.code

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(submit, cuts))
    assert len(set(answers)) == 2
    assert 4010 in answers
    assert house.used() == 1


def test_request_uuids_of_accounts_do_not_meet(house: House) -> None:
    first = house.submit(request_uuid="r-1")
    second = house.submit(request_uuid="r-1", account=house.keys.create(credits=5).account_id)
    assert first != second


def test_a_request_uuid_is_forgotten_after_a_day(house: House) -> None:
    uid, submission = house.submission(request_uuid="r-1")
    house.store.submit(uid, submission)
    with writing(house.db) as connection:
        connection.execute(sa.update(requests).values(created=requests.c.created - 24 * 3600))
    assert house.store.find_repeat(house.account, "r-1", "another", b"other") is None
    again = house.store.submit(house.submission()[0], submission)
    assert again != uid
    assert house.used() == 2


def test_one_of_many_equal_submissions_at_once_wins_and_is_charged(house: House) -> None:
    submissions = [house.submission(request_uuid="r-1") for _ in range(12)]
    with ThreadPoolExecutor(12) as pool:
        uids = list(pool.map(lambda pair: house.store.submit(*pair), submissions))
    assert len(set(uids)) == 1
    assert house.used() == 1
    assert house.store.unfinished(house.account) == [uids[0]]


def test_a_terminated_task_ends_once_and_gives_its_credits_back(house: House) -> None:
    uid = house.submit(cost=4)
    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(house.store.terminate, house.account, uid) for _ in range(8)]
    errors = [future.exception() for future in futures]
    assert errors.count(None) == 1
    assert {error.code for error in errors if isinstance(error, RestyleError)} == {4011}
    task = house.task(uid)
    assert (task.status, task.error_code, task.queue_position) == (Status.ERROR, 5104, None)
    assert house.used() == 0
    assert house.store.unfinished(house.account) == []


def test_a_finish_and_a_terminate_at_once_agree_on_one_end(house: House) -> None:
    claims = house.claims()
    for _ in range(10):
        uid = house.submit()
        claim = claims.next()
        assert claim is not None
        with ThreadPoolExecutor(2) as pool:
            finish = pool.submit(claims.finish, claim, ["results/x"])
            terminate = pool.submit(house.store.terminate, house.account, uid)
        if finish.result():
            assert isinstance(terminate.exception(), RestyleError)
            assert house.task(uid).status == Status.FINISHED
        else:
            assert terminate.exception() is None
            assert house.task(uid).error_code == 5104
    with reading(house.db) as connection:
        kept = connection.scalars(sa.select(tasks.c.cost).where(tasks.c.status == Status.FINISHED))
        assert house.used() == sum(kept)


def test_queue_positions_tell_the_order_in_which_tasks_are_taken(house: House) -> None:
    accounts = [house.account, *(house.keys.create(credits=10).account_id for _ in range(2))]
    claims = house.claims()
    house.submit()
    assert claims.next() is not None  # the first account was served last
    queued = {house.submit(account=account): account for account in (accounts[0],) * 4 + (accounts[1],) * 2}
    queued |= {house.submit(account=accounts[2]): accounts[2] for _ in range(3)}
    positions = {uid: house.task(uid, account).queue_position for uid, account in queued.items()}
    order = []
    while claim := claims.next():
        order.append(claim.uid)
    assert sorted(queued, key=lambda uid: positions[uid] or 0) == order
    assert sorted(position or 0 for position in positions.values()) == list(range(1, 10))


def test_a_result_is_found_until_it_expires(house: House) -> None:
    uid = house.submit(seeds=(1, 2))
    with pytest.raises(RestyleError) as error:
        house.store.result(uid, 0)
    assert error.value.code == 4006
    claims = house.claims()
    claim = claims.next()
    assert claim is not None
    claims.finish(claim, ["results/a", "results/b"])
    assert house.store.result(uid, 1) == "results/b"
    for index in (-1, 2):
        with pytest.raises(RestyleError):
            house.store.result(uid, index)
    with pytest.raises(RestyleError):
        house.store.result("nowhere", 0)
    task = house.task(uid)
    assert task.images == ("results/a", "results/b")
    assert task.finished is not None
    assert task.expires == pytest.approx(task.finished + 24 * 3600)
    with writing(house.db) as connection:
        connection.execute(sa.update(tasks).values(expires=time.time()))
    assert house.store.result(uid, 1) is None
    assert house.task(uid).images == ()
