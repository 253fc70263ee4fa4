import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from restyle.http import budget as budgets
from restyle.http.budget import Budget, Claim
from restyle.http.envelope import Refused
from tests.support.patience import NEVER, PATIENCE


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is too slow is so at once."""
    monkeypatch.setattr(budgets, "REVIEW_SECONDS", 0.01)
    monkeypatch.setattr(budgets, "PACE_GRACE_SECONDS", 0.0)
    monkeypatch.setattr(budgets, "PACE_BYTES", 10_000)


def run(scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(scene(), PATIENCE))


@asynccontextmanager
async def silent(budget: Budget, held: int, most: int, address: str = "s", known: bool = False) -> AsyncIterator[Claim]:
    """A body that holds ``held`` and of which no more comes, until it has to give way."""
    arrived: asyncio.Future[Claim] = asyncio.get_running_loop().create_future()

    async def body() -> None:
        with budget.claim(address, most, known=known) as claim:
            await claim.grow(held)
            try:
                async with asyncio.timeout(NEVER) as patience:
                    with claim.awaiting(patience):
                        arrived.set_result(claim)
                        await asyncio.sleep(NEVER)
            except TimeoutError:
                assert claim.gave_way

    task = asyncio.create_task(body())
    claim = await arrived
    try:
        yield claim
    finally:
        task.cancel()
        await asyncio.wait([task])


async def whole(budget: Budget, size: int, address: str = "w", known: bool = False) -> None:
    """A body that comes in one piece and is done with."""
    with budget.claim(address, size, known=known) as claim:
        await claim.grow(size)
        assert budget.held <= 300
        claim.settle(size)


def test_what_is_announced_holds_nothing() -> None:
    async def scene() -> None:
        budget = Budget(300, 9)
        with budget.claim("a", 10**9, known=False) as one, budget.claim("b", 180, known=False) as other:
            assert budget.held == 0
            await one.grow(10)
            await other.grow(20)
            assert budget.held == 30
            await whole(budget, 150)
        assert budget.held == 0

    run(scene)


def test_bodies_that_have_half_arrived_do_not_wait_for_each_other() -> None:
    """Ten times 100 of 300, each a tenth at a time: all would be stuck at 30 if they took what is free."""
    done = 0

    async def body(budget: Budget, number: int) -> None:
        nonlocal done
        with budget.claim(f"address {number}", 100, known=True) as claim:
            for count in range(10, 101, 10):
                await claim.grow(count)
                assert budget.held <= 300
                await asyncio.sleep(0)
        done += 1

    async def scene() -> None:
        budget = Budget(300, 9)
        async with asyncio.TaskGroup() as group:
            for number in range(10):
                group.create_task(body(budget, number))
        assert (done, budget.held) == (10, 0)

    run(scene)


def test_small_bodies_pass_large_ones_that_wait() -> None:
    async def scene() -> None:
        budget = Budget(300, 9)
        said: list[str] = []

        async def body(name: str, size: int) -> None:
            await whole(budget, size, name, known=True)
            said.append(name)

        with budget.claim("first", 250, known=True) as claim:
            await claim.grow(250)
            claim.settle(250)
            large = asyncio.create_task(body("large", 200))
            await asyncio.sleep(0)
            await body("small", 40)
            assert not large.done()
        await large
        assert said == ["small", "large"]

    run(scene)


def test_a_slow_body_gives_way_to_one_that_waits_and_only_then() -> None:
    async def scene() -> None:
        budget = Budget(300, 9)
        async with silent(budget, 120, 200) as slow:
            await asyncio.sleep(0.1)
            assert not slow.gave_way
            await whole(budget, 60)
            assert not slow.gave_way  # there was room
            await whole(budget, 190)
            assert slow.gave_way

    run(scene)


def test_a_body_that_keeps_its_pace_does_not_give_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgets, "PACE_GRACE_SECONDS", NEVER)

    async def scene() -> None:
        budget = Budget(300, 9)
        async with silent(budget, 120, 200) as steady:
            waiting = asyncio.create_task(whole(budget, 190))
            await asyncio.sleep(0.2)
            assert not steady.gave_way
            assert not waiting.done()
        await waiting

    run(scene)


def test_who_names_no_key_has_a_share_and_never_displaces_who_does() -> None:
    async def scene() -> None:
        budget = Budget(300, 9)
        async with silent(budget, 150, 200) as unknown, silent(budget, 150, 160, known=True) as known:
            waiting = asyncio.create_task(whole(budget, 100))
            async with asyncio.timeout(PATIENCE):
                while not unknown.gave_way:
                    await asyncio.sleep(0.01)
            await waiting
            assert not known.gave_way
            await whole(budget, 200, known=True)
            assert known.gave_way

    run(scene)


def test_strangers_together_leave_a_third_to_those_with_a_key() -> None:
    async def scene() -> None:
        budget = Budget(300, 9)
        async with silent(budget, 100, 100, "a") as one, silent(budget, 100, 100, "b") as other:
            await whole(budget, 100, known=True)
            assert not one.gave_way
            assert not other.gave_way
            await whole(budget, 50)
            assert one.gave_way is not other.gave_way

    run(scene)


def test_an_address_has_so_many_bodies_and_the_slowest_of_them_gives_way() -> None:
    async def scene() -> None:
        budget = Budget(300, 2)
        async with silent(budget, 10, 20) as one, silent(budget, 10, 20) as other, silent(budget, 10, 20, "x") as third:
            await whole(budget, 50, "elsewhere")
            assert (one.gave_way, other.gave_way) == (False, False)
            await whole(budget, 50, "s")
            assert (one.gave_way, other.gave_way, third.gave_way) == (True, False, False)

    run(scene)


@pytest.mark.parametrize("leave", ["patience", "cancel"])
def test_who_waits_no_longer_gives_its_place_up(monkeypatch: pytest.MonkeyPatch, leave: str) -> None:
    monkeypatch.setattr(budgets, "WAIT_SECONDS", 0.05 if leave == "patience" else NEVER)

    async def scene() -> None:
        budget = Budget(300, 9)
        with budget.claim("a", 300, known=True) as claim:
            await claim.grow(300)
            waiting = asyncio.create_task(whole(budget, 10))
            await asyncio.sleep(0)
            if leave == "cancel":
                waiting.cancel()
            await asyncio.wait([waiting])
            if leave == "patience":
                refused = waiting.exception()
                assert isinstance(refused, Refused)
                assert (refused.status, refused.code) == (429, 4008)
        assert budget.held == 0
        await whole(budget, 300, known=True)

    run(scene)


def test_a_body_larger_than_all_there_is_may_come_alone() -> None:
    async def scene() -> None:
        budget = Budget(300, 9)
        await whole(budget, 1000)
        await whole(budget, 1000, known=True)
        assert budget.held == 0

    run(scene)
