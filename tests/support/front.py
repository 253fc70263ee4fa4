"""An HTTP server that misbehaves as told, or plays a service of another house."""

import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx

from tests.support.patience import PATIENCE

Answer = tuple[int, Mapping[str, str], bytes]
Behaviour = Callable[["Front", bytes], Answer | None]
"""From the request's body to (status, headers, body); None hangs up without a word."""


@dataclass
class Front:
    """``script`` holds what to do with the next requests; ``rest`` what to do with all that follow."""

    rest: Behaviour
    upstream: str = ""
    url: str = ""
    script: deque[Behaviour] = field(default_factory=deque)
    seen: list[dict[str, Any]] = field(default_factory=list)

    def answer(self, body: bytes) -> Answer | None:
        if body:
            self.seen.append(json.loads(body))
        return (self.script.popleft() if self.script else self.rest)(self, body)


def forward(front: Front, body: bytes) -> Answer:
    """Ask the real service."""
    found = httpx.post(front.upstream, content=body, headers={"Content-Type": "application/json"}, timeout=PATIENCE)
    return found.status_code, {"Content-Type": "application/json"}, found.content


def hang_up(front: Front, body: bytes) -> None:
    """The connection breaks before the service hears of it."""


def lose_answer(front: Front, body: bytes) -> None:
    """The service hears of it, but its answer is lost."""
    forward(front, body)


def status(number: int, **headers: str) -> Behaviour:
    """A proxy's own page."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda front, body: (number, {"Content-Type": "text/html", **named}, b"<h1>not now</h1>")


def says(**answer: Any) -> Behaviour:
    """A JSON answer."""
    return lambda front, body: (200, {"Content-Type": "application/json"}, json.dumps(answer).encode())


@contextmanager
def fronting(rest: Behaviour = forward, upstream: str = "") -> Iterator[Front]:
    """A running front on loopback."""
    front = Front(rest, upstream)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self._do(self.rfile.read(int(self.headers["Content-Length"])))

        def do_GET(self) -> None:
            self._do(b"")

        def _do(self, body: bytes) -> None:
            answer = front.answer(body)
            if answer is None:
                self.close_connection = True
                return
            number, headers, content = answer
            self.send_response(number)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        front.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield front
        finally:
            server.shutdown()
            thread.join()
