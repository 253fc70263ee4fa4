"""HTTP/1.1 as uvicorn speaks it, with the limits of bytes, number and time that uvicorn does not set itself."""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from restyle.http.crowd import Crowd
from restyle.http.envelope import Refused, failure
from restyle.wire.codes import Code

HEAD_BYTES = 64 * 1024
"""Most bytes of a request's line and headers, trailers included."""
HEADERS = 100
"""Most headers of a request."""
READ_BYTES = 64 * 1024
"""Most bytes of one read inside a body; what a connection has read and nobody has taken is bounded by it."""
HEAD_READ_BYTES = 4 * 1024
"""The same outside of bodies."""
SLICE_BYTES = 1024
"""Bytes that are parsed at once where a request may end: no more requests than fit in here wait in line parsed."""
LINGER_SECONDS = 10.0
"""How long a connection that ends, or a body that was answered early, goes on: its client takes the answer, or sends
the rest of what nobody reads."""


class _Flow(FlowControl):
    """Reading stays paused while requests that were sent too early wait in line, whoever asks for more."""

    holding = False

    def hold(self) -> None:
        self.holding = True
        self.pause_reading()

    def release(self) -> None:
        self.holding = False
        self.resume_reading()

    def resume_reading(self) -> None:
        if not self.holding:
            super().resume_reading()


class _Outlet:
    """The transport as the answer to a request sees it: where that closes it, the last bytes still arrive."""

    def __init__(self, http: "LimitedHttp") -> None:
        self._http = http

    def write(self, data: bytes) -> None:
        if not self._http.transport.is_closing():
            self._http.transport.write(data)

    def is_closing(self) -> bool:
        return self._http.parting or self._http.transport.is_closing()

    def close(self) -> None:
        self._http.part()


class LimitedHttp(HttpToolsProtocol):
    """HTTP/1.1 on one connection. Whatever it waits for, a clock runs.

    The bytes of a body have their clock in ``body``; here are those of the head, of a client that does not read, and of
    a connection that ends. An idle one is closed by uvicorn's own.
    """

    flow: _Flow

    def __init__(self, crowd: Crowd, head_seconds: float, write_seconds: float, **given: Any) -> None:
        super().__init__(**given)
        self._crowd = crowd
        self._head_seconds = head_seconds
        self._write_seconds = write_seconds
        self.parting = False
        self._deaf = False
        self._timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._running: RequestResponseCycle | None = None
        self._held = b""
        self._fault: Refused | None = None
        self._since = 0.0
        self._came = 0
        # of the request that is arriving
        self._in_head = False
        self._whole = True
        self._body_left: int | None = 0
        self._head_bytes = 0
        self._names = 0
        self._loose_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = _Flow(transport)
        self._turn_of_client()
        self._watch(self._head_seconds, self._head_is_late)
        self._crowd.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._running is not None and not self._running.response_complete:
            self._running.disconnected = True  # uvicorn tells the latest only, and others may wait behind this one
            self._running.message_event.set()
        self._unset_keepalive_if_required()
        self._unwatch()
        if self._write_timer is not None:
            self._write_timer.cancel()
        self._crowd.leave(self)

    # ---- what the crowd asks

    def is_waited_for(self) -> bool:
        """Whether it is for the client to go on, by sending or by reading."""
        sending = not self._answering() or (self._in_body() and not self.flow.read_paused)
        return sending or self.flow.write_paused

    def pace(self, now: float) -> tuple[float, float]:
        """Bytes a second since it was the client's turn, and since when; the first second counts as whole."""
        return self._came / max(1.0, now - self._since), self._since

    def drop(self) -> None:
        """Close it at once."""
        self.transport.abort()

    def _turn_of_client(self) -> None:
        self._since = self.loop.time()
        self._came = 0

    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _in_body(self) -> bool:
        """Whether there is more to come of the body of the latest request."""
        return not (self._whole or self._in_head)

    # ---- reading

    def appetite(self) -> int:
        """How many bytes may be read at once."""
        if not self._in_body():
            return HEAD_READ_BYTES
        return READ_BYTES if self._body_left is None else max(HEAD_READ_BYTES, min(self._body_left, READ_BYTES))

    def data_received(self, data: bytes) -> None:
        if self.parting or self._deaf:
            return
        self._came += len(data)
        self._held += data
        self._take()
        quiet = self._timer is None and self.timeout_keep_alive_task is None
        if quiet and not self._answering() and not self.parting:
            self._watch(self._head_seconds, self._head_is_late)

    def _take(self) -> None:
        """Parse what was read, as long as no request waits in line for the one before."""
        data, self._held = memoryview(self._held), b""
        while data and not (self.parting or self._deaf):
            if self.pipeline:
                self._held = bytes(data)
                self.flow.hold()
                return
            inside = self._body_left is not None and len(data) <= self._body_left
            piece, data = (data, data[:0]) if inside else (data[:SLICE_BYTES], data[SLICE_BYTES:])
            self._loose_bytes += len(piece)
            super().data_received(bytes(piece))
            if self._loose_bytes > HEAD_BYTES and not self.parting:
                self._refuse(_head_too_large())

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._whole, self._body_left = True, False, 0
        self._head_bytes = self._names = self._loose_bytes = 0

    def on_url(self, url: bytes) -> None:
        self._weigh(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._names += 1
        self._loose_bytes = 0
        self._weigh(len(name) + len(value) + 4)
        if self._in_head:  # those after the body have nobody who reads them
            super().on_header(name, value)

    def _weigh(self, count: int) -> None:
        self._head_bytes += count
        if self._head_bytes > HEAD_BYTES or self._names > HEADERS:
            self._fault = _head_too_large()
            raise ValueError("the head is too large")  # ends the parsing; the answer is in _fault

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._loose_bytes = 0
        self._unwatch()
        self._turn_of_client()
        headers = dict(self.headers)
        length = headers.get(b"content-length", b"0")
        self._body_left = None if b"transfer-encoding" in headers else int(length)
        super().on_headers_complete()
        self.cycle.transport = _Outlet(self)  # type: ignore[assignment]

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def on_body(self, body: bytes) -> None:
        self._loose_bytes = 0
        if self._body_left is not None:
            self._body_left -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._whole = True
        self._loose_bytes = 0
        super().on_message_complete()
        if not self._answering():
            self._unwatch()  # the rest of a body that was answered early

    def _head_is_late(self) -> None:
        if self._answering():
            return  # the clock starts again when that is answered
        if self._in_head:
            message = f"the head of the request did not arrive within {self._head_seconds:g} s"
            self._refuse(Refused(408, Code.BODY_NOT_OBJECT, message))
        else:
            self.part()

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: the request is answered as HTTP/1.1, as it may be."""

    # ---- writing

    def pause_writing(self) -> None:
        super().pause_writing()
        self._turn_of_client()
        self._write_timer = self.loop.call_later(self._write_seconds, self.drop)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def on_response_complete(self) -> None:
        if self.parting:
            self.server_state.total_requests += 1
            return
        last = not self.pipeline
        super().on_response_complete()
        if last:
            self._turn_of_client()
            if self._in_body():  # answered early: the rest of the body is passed over
                self._unset_keepalive_if_required()
                self._watch(LINGER_SECONDS, self.part)
        if self._held or self.flow.holding:
            self.flow.release()
            self._take()

    # ---- ending

    def send_400_response(self, msg: str) -> None:
        self._refuse(self._fault or Refused(400, Code.BODY_NOT_OBJECT, "this is not HTTP/1.1"))

    def _refuse(self, fault: Refused) -> None:
        """Answer what is no request, and end the connection."""
        if self._answering():
            self._deaf = True
            if not self._in_body():  # the answer to the request before comes first
                self.cycle.keep_alive = False
                return
            self.cycle.disconnected = True  # for whoever reads that body
            self.cycle.message_event.set()
            if self.pipeline or self.cycle.response_started:
                self.transport.abort()
                return
        answer = failure(fault, {})
        status = f"HTTP/1.1 {fault.status} {HTTPStatus(fault.status).phrase}\r\n".encode()
        headers = [*self.server_state.default_headers, *answer.raw_headers, (b"connection", b"close")]
        lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
        self.transport.write(status + lines + b"\r\n" + bytes(answer.body))
        self.part()

    def part(self) -> None:
        """End the connection. A client that is still sending could lose its answer if it were closed at once."""
        if self.parting or self.transport.is_closing():
            return
        self.parting = True
        self._unset_keepalive_if_required()
        if self._whole:
            self.transport.close()
        else:
            try:
                self.transport.write_eof()
            except OSError:  # the client is gone
                self.transport.abort()
                return
            self.flow.release()
        self._watch(LINGER_SECONDS, self.drop)

    def timeout_keep_alive_handler(self) -> None:
        self.part()

    def shutdown(self) -> None:
        if self._answering():
            self.cycle.keep_alive = False
        else:
            self.part()

    def _watch(self, seconds: float, then: Callable[[], None]) -> None:
        self._unwatch()
        self._timer = self.loop.call_later(seconds, self._time_is_over, then)

    def _unwatch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _time_is_over(self, then: Callable[[], None]) -> None:
        self._timer = None
        then()


def _head_too_large() -> Refused:
    message = f"the head of a request may hold {HEAD_BYTES:,} bytes and {HEADERS} headers"
    return Refused(431, Code.BODY_NOT_OBJECT, message)
