import asyncio
from pathlib import Path

import pytest

from restyle.http.envelope import Refused
from restyle.http.limits import Budget, Rate
from tests.support.service import running


def test_a_key_has_its_turns_back_evenly() -> None:
    now = 100.0
    rate = Rate(60, clock=lambda: now)
    for _ in range(60):
        rate.take("a")
    with pytest.raises(Refused) as caught:
        rate.take("a")
    assert caught.value.status == 429
    assert caught.value.headers["Retry-After"] == "1"
    rate.take("b")
    now += 2.5
    rate.take("a")
    rate.take("a")
    with pytest.raises(Refused):
        rate.take("a")
    now += 10_000
    for _ in range(60):
        rate.take("a")
    with pytest.raises(Refused):
        rate.take("a")


def test_only_the_owner_uses_up_a_keys_turns(tmp_path: Path) -> None:
    with running(tmp_path, requests_per_minute=30) as service:
        body = service.sign({"Action": "ListModels"})
        for _ in range(40):
            assert service.http.post("/", json={**body, "Signature": "0" * 40}).json()["RetCode"] == 171
        answers = [service.http.post("/", json=body) for _ in range(40)]
        taken = [answer for answer in answers if answer.status_code == 200]
        refused = [answer for answer in answers if answer.status_code == 429]
        assert 30 <= len(taken) <= 35
        assert len(taken) + len(refused) == 40
        assert refused[0].json()["RetCode"] == 4008
        assert int(refused[0].headers["Retry-After"]) >= 1
        assert service.call("ListModels", service.keys.create(credits=0))["RetCode"] == 0


def test_bodies_wait_their_turn_for_memory() -> None:
    async def scene() -> list[str]:
        budget = Budget(100)
        said: list[str] = []

        async def body(name: str, size: int, hold: float) -> None:
            async with budget.hold(size):
                said.append(name)
                assert budget.held <= 100
                await asyncio.sleep(hold)

        async with asyncio.TaskGroup() as group:
            group.create_task(body("60", 60, 0.02))
            await asyncio.sleep(0)
            group.create_task(body("70", 70, 0.02))
            group.create_task(body("20", 20, 0.02))  # would fit, but the large one waits longer
            group.create_task(body("huge", 1000, 0.01))
        assert budget.held == 0
        return said

    assert asyncio.run(scene()) == ["60", "70", "20", "huge"]


def test_a_body_that_waits_too_long_is_asked_to_come_back() -> None:
    async def scene() -> None:
        budget = Budget(10)
        async with budget.hold(10):
            with pytest.raises(Refused) as caught:
                async with budget.hold(1, patience=0.01):
                    raise AssertionError
            assert (caught.value.status, caught.value.code) == (429, 4008)
        async with budget.hold(10, patience=0.01):
            assert budget.held == 10

    asyncio.run(scene())


def test_a_body_whose_sender_leaves_gives_its_place_up() -> None:
    async def scene() -> None:
        budget = Budget(10)

        async def body() -> None:
            async with budget.hold(10):
                await asyncio.sleep(0)

        async with budget.hold(5):
            left = asyncio.create_task(body())
            stays = asyncio.create_task(body())
            await asyncio.sleep(0)
            left.cancel()
            await asyncio.sleep(0)
        await stays
        assert budget.held == 0

    asyncio.run(scene())
