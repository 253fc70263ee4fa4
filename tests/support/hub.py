"""A server of files on loopback that answers as it is told: honestly, or as real ones do on their bad days."""

import re
import socket
import struct
import threading
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast


@dataclass(frozen=True)
class Answer:
    """One answer. Without anything given: the file, from where it was asked, with its true length.

    ``cut`` is after how many bytes of the body the line ends: closed, or with ``reset`` broken off. ``hold`` is waited
    for there, and the rest follows. ``length`` is what Content-Length says, 0 to leave it out.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    reset: bool = False
    hold: threading.Event | None = None
    length: int | None = None
    ranges: bool = True
    chunked: bool = False
    body: bytes | None = None


@dataclass(frozen=True)
class Asked:
    """One request: where it began, what its headers were, and how many bytes of the body are sent."""

    start: int
    headers: Mapping[str, str]
    sent: int


class Hub:
    """``files`` by path, ``etags`` for some of them, ``asked`` of each in the order of the answers."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.etags: dict[str, str] = {}
        self.asked: dict[str, list[Asked]] = defaultdict(list)
        self._answers: dict[str, deque[Answer]] = defaultdict(deque)
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.hub = self
        self.closing = threading.Event()

    @property
    def url(self) -> str:
        """Without a slash at the end."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def add(self, path: str, content: bytes, *answers: Answer, etag: str = "") -> str:
        """Have a file, of which the first requests are answered so; returns its address."""
        self.files[path] = content
        self._answers[path] = deque(answers)
        if etag:
            self.etags[path] = etag
        return self.url + path

    def next_answer(self, path: str) -> Answer:
        answers = self._answers[path]
        return answers.popleft() if answers else Answer(200 if path in self.files else 404)

    def serve(self) -> threading.Thread:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        return thread

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    hub: Hub


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        hub = cast(_Server, self.server).hub
        answer = hub.next_answer(self.path)
        content = hub.files.get(self.path, b"") if answer.body is None else answer.body
        etag = hub.etags.get(self.path, "")
        start = self._start(answer, etag)
        self.close_connection = True
        headers = {"Connection": "close", **({"ETag": etag} if etag else {}), **answer.headers}
        if answer.status != 200:
            self._tell(start, 0)
            self._begin(answer.status, {**headers, "Content-Length": "0"})
        elif start and start >= len(content):
            self._tell(start, 0)
            self._begin(416, {**headers, "Content-Range": f"bytes */{len(content)}", "Content-Length": "0"})
        else:
            body = content[start:]
            if answer.chunked:
                headers["Transfer-Encoding"] = "chunked"
            elif answer.length != 0:
                headers["Content-Length"] = str(len(body) if answer.length is None else answer.length)
            if start:
                headers.setdefault("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            whole = answer.cut is None or answer.hold is not None
            self._tell(start, len(body) if whole else len(body[: answer.cut]))
            self._begin(206 if start else 200, headers)
            self._send(answer, body, hub)

    def _tell(self, start: int, sent: int) -> None:
        """Before the answer: who got it may look at once."""
        cast(_Server, self.server).hub.asked[self.path].append(Asked(start, dict(self.headers), sent))

    def _start(self, answer: Answer, etag: str) -> int:
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        unchanged = self.headers.get("If-Range", etag) == etag
        return int(match[1]) if match and answer.ranges and unchanged else 0

    def _begin(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _send(self, answer: Answer, body: bytes, hub: Hub) -> None:
        first = body if answer.cut is None else body[: answer.cut]
        self._write(first, answer)
        if answer.hold is not None:
            while not (answer.hold.wait(0.05) or hub.closing.is_set()):
                pass
            self._write(body[len(first) :], answer)
        elif answer.reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if answer.chunked and (answer.cut is None or answer.hold is not None):
            self._write(b"", answer)

    def _write(self, data: bytes, answer: Answer) -> None:
        try:
            if answer.chunked:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
            else:
                self.wfile.write(data)
            self.wfile.flush()
        except ConnectionError:  # the client was ended, as some tests do
            pass

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def hub() -> Iterator[Hub]:
    """A hub while the block runs."""
    served = Hub()
    thread = served.serve()
    try:
        yield served
    finally:
        served.close()
        thread.join()
