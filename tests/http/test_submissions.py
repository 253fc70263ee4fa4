import asyncio
import threading
from functools import partial

from restyle.http.submissions import EACH, Submissions
from tests.support.patience import PATIENCE


def test_an_account_that_waits_keeps_no_other_waiting() -> None:
    async def scenario() -> list[str]:
        submissions, done = Submissions(), threading.Event()
        slow = [asyncio.create_task(submissions.run(1, lambda: done.wait(PATIENCE))) for _ in range(100)]
        await asyncio.sleep(0)
        had = [await submissions.run(2, partial("B{}".format, number)) for number in range(3)]
        assert not any(task.done() for task in slow)
        done.set()
        assert all(await asyncio.gather(*slow))
        submissions.close(PATIENCE)
        return had

    assert asyncio.run(scenario()) == ["B0", "B1", "B2"]


def test_no_more_of_one_account_at_a_time() -> None:
    running, most, lock = 0, 0, threading.Lock()

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        threading.Event().wait(0.002)
        with lock:
            running -= 1

    async def scenario() -> None:
        submissions = Submissions()
        await asyncio.gather(*(submissions.run(1, work) for _ in range(20)))
        submissions.close(PATIENCE)

    asyncio.run(scenario())
    assert 1 <= most <= EACH
