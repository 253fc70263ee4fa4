"""A connection as the event loop sees it: what is read, and how much at a time."""

import asyncio
from collections.abc import Callable
from typing import Any

from restyle.http.crowd import Crowd
from restyle.http.protocol import READ_BYTES, LimitedHttp


def connections(crowd: Crowd, head_seconds: float, write_seconds: float) -> "Callable[..., Connection]":
    """What uvicorn makes a new connection with.

    ``head_seconds`` is the time for a complete head, ``write_seconds`` the one in which a client has to take what it
    was sent.
    """

    def connection(**given: Any) -> Connection:
        return Connection(LimitedHttp(crowd, head_seconds, write_seconds, **given))

    return connection


class Connection(asyncio.BufferedProtocol):
    """Reads as much as may be read, into one buffer for all connections: its content is handed on at once.

    Left to itself, an event loop reads up to 256 KB at a time.
    """

    _buffer = memoryview(bytearray(READ_BYTES))

    def __init__(self, http: LimitedHttp) -> None:
        self._http = http

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._http.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._http.connection_lost(exc)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer[: self._http.appetite()]

    def buffer_updated(self, nbytes: int) -> None:
        self._http.data_received(bytes(self._buffer[:nbytes]))

    def eof_received(self) -> None:
        self._http.eof_received()

    def pause_writing(self) -> None:
        self._http.pause_writing()

    def resume_writing(self) -> None:
        self._http.resume_writing()
