import contextlib
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.support.patience import NEVER, PATIENCE, wait_for
from tests.support.raw import GET, connected, head, json_of, send, status_of, to_the_end
from tests.support.service import RunningService, running

MIB = 1024 * 1024
MOST = 12
LAST = GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
"""Closes the connection behind its answer."""


@pytest.fixture(scope="module")
def brisk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service with little patience."""
    folder = tmp_path_factory.mktemp("brisk")
    with running(folder, head_seconds=2, idle_seconds=2, write_seconds=3, max_results_per_address=8) as started:
        yield started


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service for few clients at once, and patient with them."""
    folder = tmp_path_factory.mktemp("crowded")
    with running(folder, max_connections=MOST, head_seconds=NEVER, idle_seconds=NEVER, body_seconds=NEVER) as started:
        yield started


def memory(service: RunningService) -> int:
    return int(psutil.Process(service.process.pid).memory_info().rss)


def works(service: RunningService) -> bool:
    return httpx.get(f"{service.url}/healthz", timeout=PATIENCE).status_code == 200


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (b"GET /healthz HTTP/1.1\r\nX-Big: ", b"a" * MIB),
        (b"GET /healthz HTTP/1.1\r\n", b"X-A: " + b"a" * 1000 + b"\r\n"),
        (b"GET /healthz HTTP/1.1\r\n", b"X-" + b"a" * 60_000 + b": 1\r\n"),
        (b"GET /", b"a" * MIB),
        (b"", b"\r\n" * MIB),
        (head(0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked") + b"1\r\nx\r\n0\r\nX-Big: ", b"a" * MIB),
    ],
    ids=["one value", "many", "names", "path", "line breaks", "trailer"],
)
def test_an_endless_head_is_refused(service: RunningService, first: bytes, again: bytes) -> None:
    before = memory(service)
    with connected(service) as raw:
        assert send(raw, first)
        taken = send(raw, again, 200 * MIB // len(again))
        assert taken is False or status_of(to_the_end(raw)) in {0, 431}
    assert memory(service) < before + 16 * MIB
    assert works(service)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([f"X-{n}: y" for n in range(98)], 200),
        ([f"X-{n}: y" for n in range(99)], 431),
        (["X-Big: " + "a" * 65_000], 200),
        (["X-Big: " + "a" * 66_000], 431),
    ],
)
def test_a_head_has_a_size_and_a_number_of_headers(service: RunningService, headers: list[str], status: int) -> None:
    with connected(service) as raw:
        raw.sendall(
            "\r\n".join(["GET /healthz HTTP/1.1", "Host: localhost", "Connection: close", *headers, "", ""]).encode()
        )
        answer = to_the_end(raw)
    assert status_of(answer) == status
    assert json_of(answer)["RetCode"] == (4001 if status == 431 else 0)


def test_what_is_not_http_is_told_so(service: RunningService) -> None:
    with connected(service) as raw:
        raw.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello over TLS\r\n\r\n")
        answer = to_the_end(raw)
    assert (status_of(answer), json_of(answer)["RetCode"]) == (400, 4001)


@pytest.mark.parametrize("said", [b"", b"\r\n", b"GET /healthz HT", b"GET /healthz HTTP/1.1\r\nX-A: b\r\n", GET])
def test_a_connection_that_goes_silent_is_closed(brisk: RunningService, said: bytes) -> None:
    with connected(brisk) as raw:
        raw.sendall(said)
        answer = to_the_end(raw)
    assert status_of(answer) == (200 if said == GET else 408 if said.strip() else 0)


def test_a_head_that_drips_has_no_more_time_than_another(brisk: RunningService) -> None:
    with connected(brisk) as raw:
        raw.sendall(b"GET /healthz HTTP/1.1\r\nX-Slow: ")
        raw.settimeout(0.1)
        answer = b""
        end = time.monotonic() + PATIENCE
        while not answer:
            assert time.monotonic() < end
            send(raw, b"a")
            with contextlib.suppress(TimeoutError):
                answer = raw.recv(65536)
    assert status_of(answer) == 408


def test_requests_sent_ahead_are_answered_in_order(service: RunningService) -> None:
    paths = [b"/healthz", b"/nothing"]
    with connected(service) as raw:
        raw.sendall(b"".join(b"GET %b HTTP/1.1\r\nHost: localhost\r\n\r\n" % paths[n % 3 == 0] for n in range(400)))
        raw.sendall(LAST)
        answers = to_the_end(raw).split(b"HTTP/1.1 ")[1:]
    assert [answer[:3] for answer in answers] == [*((b"200", b"404")[n % 3 == 0] for n in range(400)), b"200"]


def test_what_follows_a_body_is_the_next_request(service: RunningService) -> None:
    with connected(service) as raw:
        body = b'{"x":"' + b"A" * 200_000 + b'"}'
        chunked = head(0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
        chunked += b"%x\r\n%b\r\n0\r\nX-Trailer: y\r\n\r\n" % (len(body), body)
        raw.sendall(head(len(body)) + body + GET + chunked + LAST)
        answers = to_the_end(raw).split(b"HTTP/1.1 ")[1:]
    assert [answer.partition(b'"RetCode":')[2][:3] for answer in answers] == [b"220", b'0,"', b"220", b'0,"']


@pytest.mark.parametrize("rest", [b"\x00\x01 no HTTP\r\n\r\n", b"GET / HTTP/1.1\r\nX: " + b"a" * 70_000])
def test_a_request_is_answered_whatever_follows_it(service: RunningService, rest: bytes) -> None:
    with connected(service) as raw:
        send(raw, GET + rest)
        assert status_of(to_the_end(raw)) == 200


def test_an_answer_before_the_end_of_the_body_arrives(service: RunningService) -> None:
    """Closing at once would reset the connection, and with it what the client has not read yet."""
    with connected(service) as raw:
        raw.sendall(head(10**9))
        send(raw, b" " * MIB, 8)
        assert raw.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_an_idle_connection_gives_way_to_the_next(crowded: RunningService) -> None:
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(connected(crowded)) for _ in range(3 * MOST)]
        drip = stack.enter_context(connected(crowded))
        drip.sendall(head(60_000) + b"{")
        for _ in range(3):
            assert works(crowded)
        wait_for(lambda: len(psutil.Process(crowded.process.pid).net_connections()) <= MOST + 1)
        assert to_the_end(idle[0]) == b""
    assert works(crowded)


def test_clients_that_wait_for_the_service_are_not_sent_away(crowded: RunningService) -> None:
    uid = crowded.submit("draw 0.5")
    with contextlib.ExitStack() as stack:
        for _ in range(3 * MOST):
            stack.enter_context(connected(crowded)).sendall(head(50_000) + b"{")
            assert crowded.task(uid)["TaskUID"] == uid
    crowded.wait(uid)


def test_running_out_of_handles_is_survived(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        process = psutil.Process(service.process.pid)
        soft, hard = process.rlimit(psutil.RLIMIT_NOFILE)
        assert soft == min(hard, 65_536)
        process.rlimit(psutil.RLIMIT_NOFILE, (process.num_fds() + 3, hard))
        with contextlib.ExitStack() as stack:
            for _ in range(40):
                stack.enter_context(connected(service))
            time.sleep(0.3)
        process.rlimit(psutil.RLIMIT_NOFILE, (soft, hard))
        assert works(service)
        assert service.wait(service.submit())["Status"] == "Finished"


def result_of(service: RunningService, size: int) -> str:
    """The path of a result that is a file of ``size`` bytes."""
    uid = service.submit()
    url = str(service.wait(uid)["ImgList"][0])
    (stored,) = (service.settings.data_dir / "objects" / "results" / uid).rglob("*.png")
    stored.write_bytes(bytes(size))
    return url.removeprefix(service.url)


def test_who_does_not_read_holds_next_to_nothing_and_is_dropped(brisk: RunningService) -> None:
    path = result_of(brisk, 30 * MIB)
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    before = memory(brisk)
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(connected(brisk, receive_buffer=4096)) for _ in range(40)]
        for raw in silent:
            raw.sendall(request * 50)
        assert works(brisk)
        assert memory(brisk) < before + 24 * MIB
        process = psutil.Process(brisk.process.pid)
        ours = {raw.getsockname()[1] for raw in silent}
        wait_for(
            lambda: (
                not any(
                    each.raddr and each.raddr.port in ours and each.status == psutil.CONN_ESTABLISHED
                    for each in process.net_connections()
                )
            )
        )
    whole = brisk.http.get(path)
    assert (whole.status_code, len(whole.content)) == (200, 30 * MIB)


def test_a_slow_reader_gets_it_all(brisk: RunningService) -> None:
    path = result_of(brisk, 3 * MIB)
    with connected(brisk, receive_buffer=65536) as raw:
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        size = 0
        while piece := raw.recv(32 * 1024):
            size += len(piece)
            time.sleep(0.01)
    assert size > 3 * MIB


def test_one_address_downloads_so_many_results_at_once(tmp_path: Path) -> None:
    with running(tmp_path, max_results_per_address=2, write_seconds=3) as service:
        path = result_of(service, 30 * MIB)
        request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        with connected(service) as one, connected(service) as other:
            for raw in (one, other):
                raw.sendall(request)
                assert raw.recv(1)
            elsewhere = service.http.get(path, headers={"X-Forwarded-For": "192.0.2.7"})
            assert (elsewhere.status_code, len(elsewhere.content)) == (200, 30 * MIB)
            assert service.http.head(path, headers={"X-Forwarded-For": "192.0.2.7"}).status_code == 200
            same = service.http.get(path)  # waits until those who do not read are dropped, or is asked to come back
            assert same.status_code in {200, 429}
        assert service.http.get(path).status_code == 200


def test_a_stop_waits_for_no_client(tmp_path: Path) -> None:
    never: dict[str, Any] = {
        "head_seconds": NEVER,
        "idle_seconds": NEVER,
        "body_seconds": NEVER,
        "write_seconds": NEVER,
    }
    with running(tmp_path, drain_seconds=0, **never) as service:
        path = result_of(service, 30 * MIB)
        with contextlib.ExitStack() as stack:
            for said in (b"", b"GET /", head(60_000) + b"{", head(10**7) + b"A" * 300_000, b"", GET):
                stack.enter_context(connected(service)).sendall(said)
            silent = stack.enter_context(connected(service, receive_buffer=4096))
            silent.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            assert silent.recv(1)
            service.process.send_signal(signal.SIGTERM)
            assert service.process.wait(PATIENCE) == 0
