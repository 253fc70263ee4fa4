import asyncio
import http.client
import json
import socket
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any, cast
from urllib.parse import urlsplit

import httpx
import pytest

from restyle.http import body
from restyle.http.envelope import Refused
from restyle.http.limits import Budget
from tests.support.service import RunningService, running

CAP = 200_000


@pytest.fixture(scope="module")
def tight(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with running(tmp_path_factory.mktemp("tight"), max_body_bytes=CAP) as started:
        yield started


def padded(service: RunningService, size: int) -> bytes:
    """A good request of exactly ``size`` bytes."""
    raw = json.dumps(service.sign({"Action": "ListModels"})).encode()
    return raw[:-1] + b" " * (size - len(raw)) + b"}"


def pieces(raw: bytes, size: int = 10_000) -> Iterator[bytes]:
    for start in range(0, len(raw), size):
        yield raw[start : start + size]


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("size", [1_000, body.SMALL, body.SMALL + 1, CAP])
def test_a_body_up_to_the_cap_is_read(tight: RunningService, size: int, chunked: bool) -> None:
    raw = padded(tight, size)
    content = pieces(raw) if chunked else raw
    response = tight.http.post("/", content=content, headers={"Content-Type": "application/json"})
    assert (response.status_code, response.json()["RetCode"]) == (200, 0)


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("size", [CAP + 1, CAP * 5])
def test_a_body_past_the_cap_is_refused_whether_it_says_so_or_not(
    tight: RunningService, size: int, chunked: bool
) -> None:
    raw = padded(tight, size)
    content = pieces(raw) if chunked else raw
    try:
        response = tight.http.post("/", content=content, headers={"Content-Type": "application/json"})
    except httpx.WriteError:  # far past the cap the service stops listening
        assert size > CAP * 2
    else:
        assert (response.status_code, response.json()["RetCode"]) == (413, 4002)
        assert "200,000" in response.json()["Message"]
    assert tight.call("ListModels")["RetCode"] == 0


def test_a_sender_that_asks_first_is_told_without_sending(tight: RunningService) -> None:
    connection = http.client.HTTPConnection(urlsplit(tight.url).netloc, timeout=5)
    connection.putrequest("POST", "/")
    for name, value in (
        ("Content-Type", "application/json"),
        ("Content-Length", str(10**12)),
        ("Expect", "100-continue"),
    ):
        connection.putheader(name, value)
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


def test_a_sender_that_leaves_in_the_middle_harms_nobody(tight: RunningService) -> None:
    for size in (1_000, 150_000):
        with socket.create_connection(("127.0.0.1", urlsplit(tight.url).port or 0)) as raw:
            head = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {size}\r\n\r\n"
            raw.sendall(head.encode() + b"{" * (size // 2))
    assert tight.call("ListModels")["RetCode"] == 0
    assert "Traceback" not in tight.log.read_text()
    end = time.monotonic() + 5
    while "restyle_bodies_held_bytes 0.0" not in tight.http.get("/metrics").text:
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_body_that_does_not_arrive_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "GRACE_SECONDS", 0.05)

    class Slow:
        """The part of a request that is read here."""

        def __init__(self, headers: dict[str, str]) -> None:
            self.headers = headers

        async def stream(self) -> AsyncIterator[bytes]:
            yield b"{"
            await asyncio.sleep(60)

    async def scene(headers: dict[str, str]) -> Refused:
        budget = Budget(10**6)
        with pytest.raises(Refused) as caught:
            async with body.received(cast(Any, Slow(headers)), budget, 10**6):
                raise AssertionError
        assert budget.held == 0
        return caught.value

    for headers in ({}, {"content-length": "10"}, {"content-length": "500000"}):
        refused = asyncio.run(scene(headers))
        assert (refused.status, refused.code) == (408, 4001)
        assert "after 1 bytes" in refused.message
