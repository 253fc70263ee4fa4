import asyncio
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from fastapi import Request

from restyle.http import limits
from restyle.http.envelope import Refused
from restyle.http.limits import Lanes, Rate, Turns, address_of
from tests.support.command import PYTHONPATH
from tests.support.patience import PATIENCE
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


def test_only_the_owner_uses_up_the_turns_of_a_key_or_an_address(tmp_path: Path) -> None:
    with running(tmp_path, requests_per_minute=30, requests_per_address=250) as service:
        body = service.sign({"Action": "ListModels"})
        for _ in range(40):
            assert service.http.post("/", json={**body, "Signature": "0" * 40}).json()["RetCode"] == 171
        taken = 0
        while (answer := service.http.post("/", json=body)).status_code == 200:
            taken += 1
            assert taken < 1000
        assert taken >= 30
        assert (answer.status_code, answer.json()["RetCode"]) == (429, 4008)
        assert int(answer.headers["Retry-After"]) >= 1
        assert service.call("ListModels", service.keys.create(credits=0))["RetCode"] == 0

        elsewhere = {"X-Forwarded-For": "203.0.113.9"}
        taken = 0
        while (answer := service.http.get("/nothing", headers=elsewhere)).status_code == 404:
            taken += 1
            assert taken < 10_000
        assert taken >= 250
        assert (answer.status_code, answer.json()["RetCode"]) == (429, 4008)
        assert int(answer.headers["Retry-After"]) >= 1
        service.http.headers.update(elsewhere)
        while service.call("ListModels", service.keys.create(credits=0))["RetCode"] == 0:
            pass  # a turn came back meanwhile
        assert service.http.get("/healthz").status_code == 200
        del service.http.headers["X-Forwarded-For"]
        assert service.call("ListModels", service.keys.create(credits=0))["RetCode"] == 0
        assert 'restyle_requests_total{action="",code="4008"}' in service.http.get("/metrics").text


def test_buckets_that_are_full_again_are_forgotten() -> None:
    now = 0.0
    rate = Rate(60, clock=lambda: now)
    for number in range(limits.BUCKETS):
        rate.take(f"key {number}")
    for _ in range(60):
        rate.take("busy")
    now = 60.5
    for _ in range(60):
        rate.take("busy")
    assert len(rate) == 1
    with pytest.raises(Refused):
        rate.take("busy")


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
        (None, ""),
    ],
)
def test_clients_are_told_apart_by_what_one_of_them_can_have(host: str | None, address: str) -> None:
    client = None if host is None else (host, 5000)
    assert address_of(Request({"type": "http", "headers": [], "client": client})) == address


def test_an_address_has_so_many_turns_and_others_have_theirs() -> None:
    async def scene() -> None:
        turns = Turns(1, 0.05)
        async with turns.hold("a", "results"):
            async with turns.hold("b", "results"):
                pass
            with pytest.raises(Refused) as caught:
                async with turns.hold("a", "results"):
                    raise AssertionError
            assert (caught.value.status, caught.value.code) == (429, 4008)
            assert "results" in caught.value.message
        patient = Turns(1, PATIENCE)
        async with patient.hold("a", "results"):
            waiting = asyncio.create_task(patient.hold("a", "results").__aenter__())
            await asyncio.sleep(0)
            assert not waiting.done()
        await waiting

    asyncio.run(scene())


def test_work_is_done_in_threads_and_its_faults_come_back() -> None:
    def fail() -> None:
        raise KeyError("x")

    async def scene() -> None:
        lanes = Lanes()
        assert await lanes.run(threading.current_thread, heavy=True) is not threading.current_thread()
        with pytest.raises(KeyError):
            await lanes.run(fail, heavy=False)
        assert lanes.close(PATIENCE) == 0

    asyncio.run(scene())


def test_work_that_hangs_does_not_hold_up_the_end() -> None:
    program = """
import asyncio, threading
from restyle.http.limits import Lanes
async def main():
    lanes = Lanes()
    begun = threading.Event()
    task = asyncio.create_task(lanes.run(lambda: begun.set() or threading.Event().wait(), heavy=True))
    while not begun.is_set():
        await asyncio.sleep(0.01)
    print(await asyncio.to_thread(lanes.close, 0.1))
    task.cancel()
asyncio.run(main())
"""
    environment = {**os.environ, "PYTHONPATH": PYTHONPATH}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE, env=environment, check=True
    )
    assert done.stdout.strip() == "1"
