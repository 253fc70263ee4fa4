"""Connections that say what they like, byte for byte."""

import contextlib
import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from tests.support.patience import PATIENCE
from tests.support.service import RunningService

GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


def head(size: int | str, *lines: str) -> bytes:
    """The head of a POST whose body is announced to have ``size`` bytes."""
    always = ("POST / HTTP/1.1", "Host: localhost", "Content-Type: application/json", f"Content-Length: {size}")
    return "\r\n".join([*always, *lines, "", ""]).encode()


@contextlib.contextmanager
def connected(service: RunningService, *, receive_buffer: int = 0) -> Iterator[socket.socket]:
    """A connection to ``service``, which waits with patience for whatever it is asked."""
    address = urlsplit(service.url)
    with socket.socket() as raw:
        if receive_buffer:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        raw.settimeout(PATIENCE)
        raw.connect((address.hostname, address.port))
        yield raw


def to_the_end(raw: socket.socket) -> bytes:
    """Everything that comes until the service closes the connection; TimeoutError if it does not."""
    found = b""
    with contextlib.suppress(ConnectionError):
        while piece := raw.recv(65536):
            found += piece
    return found


def send(raw: socket.socket, data: bytes, times: int = 1) -> bool:
    """Send ``data`` again and again. False once the service no longer takes it."""
    try:
        for _ in range(times):
            raw.sendall(data)
    except ConnectionError:
        return False
    return True


def status_of(answer: bytes) -> int:
    """The HTTP status of what begins with an answer; 0 where nothing came."""
    return int(answer.split(None, 2)[1]) if answer else 0


def json_of(answer: bytes) -> dict[str, Any]:
    """The object that an answer ends in."""
    found: dict[str, Any] = json.loads(answer.partition(b"\r\n\r\n")[2])
    return found
