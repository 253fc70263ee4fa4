import contextlib
import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from restyle.http import body
from tests.support.patience import NEVER, PATIENCE, wait_for
from tests.support.raw import connected, head, json_of, status_of, to_the_end
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
    connection = http.client.HTTPConnection(urlsplit(tight.url).netloc, timeout=PATIENCE)
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
            raw.sendall(head(size) + b"{" * (size // 2))
    assert tight.call("ListModels")["RetCode"] == 0
    assert "Traceback" not in tight.log.read_text()
    wait_for(lambda: "restyle_bodies_held_bytes 0.0" in tight.http.get("/metrics").text)


def test_a_body_that_does_not_arrive_is_given_up(tmp_path: Path) -> None:
    with running(tmp_path, body_seconds=3) as service, contextlib.ExitStack() as stack:
        chunked = head(0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
        cases = ((head(10) + b"{", 1), (chunked + b"1\r\n{\r\n", 1), (head(10**6) + b"{" * 66_000, 66_000))
        senders = [stack.enter_context(connected(service)) for _ in cases]
        for raw, (said, _) in zip(senders, cases, strict=True):
            raw.sendall(said)
        for raw, (_, came) in zip(senders, cases, strict=True):
            answer = to_the_end(raw)
            assert (status_of(answer), json_of(answer)["RetCode"]) == (408, 4001)
            assert f"after {came:,} bytes" in json_of(answer)["Message"]
        assert "restyle_bodies_held_bytes 0.0" in service.http.get("/metrics").text


def test_strangers_that_hold_on_to_the_memory_of_bodies_give_way(tmp_path: Path) -> None:
    """Four of them have sent all but the last byte of what there is room for, and say nothing more."""
    with running(tmp_path, max_bodies_bytes=6_000_000, max_body_bytes=2_000_000, body_seconds=NEVER) as service:
        text = "A" * 900_000
        first = padded(service, 900_000)
        last = json.dumps({"x": text, **service.sign({"Action": "ListModels", "x": text})}).encode()  # key at the end
        with contextlib.ExitStack() as stack:
            strangers = [stack.enter_context(connected(service)) for _ in range(4)]
            for raw in strangers:
                raw.sendall(head(950_000))
                raw.sendall(b" " * 949_999)
            for body in (first, last):
                answer = service.http.post("/", content=body, headers={"Content-Type": "application/json"})
                assert (answer.status_code, answer.json()["RetCode"]) == (200, 0)
            given_up = to_the_end(strangers[0]) or to_the_end(strangers[1])
            assert status_of(given_up) == 408
            assert "while others waited" in json_of(given_up)["Message"]
