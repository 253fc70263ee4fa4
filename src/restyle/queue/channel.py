"""The socket between a service and a worker process: frames of four bytes of length, then a message in JSON."""

import socket
import struct
from collections.abc import Iterator

from pydantic import BaseModel

from restyle.queue.messages import MAX_FRAME

LENGTH = struct.Struct("!I")
PIECE = 1 << 16
"""Bytes taken from a socket at once: whoever talks without end gets no more of the service's time than the others."""


def frame(message: BaseModel) -> bytes:
    """The bytes that carry ``message``."""
    body = message.model_dump_json().encode()
    return LENGTH.pack(len(body)) + body


class Channel:
    """The service's end. It never waits: neither for a worker that does not read, nor for the rest of a message."""

    def __init__(self, ours: socket.socket) -> None:
        ours.setblocking(False)
        self._socket = ours
        self._out = bytearray()
        self._in = bytearray()

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def full(self) -> bool:
        """Whether there are bytes that the worker's side does not take at the moment."""
        return bool(self._out)

    def send(self, message: BaseModel) -> None:
        """Send as much as goes now; :meth:`flush` sends the rest. Raises OSError where the other side is gone."""
        self._out += frame(message)
        self.flush()

    def flush(self) -> None:
        """Send what can be sent now. Raises OSError where the other side is gone."""
        try:
            while self._out:
                with memoryview(self._out) as rest:
                    sent = self._socket.send(rest[: 4 * PIECE])
                del self._out[:sent]
        except BlockingIOError:
            return

    def receive(self) -> Iterator[bytes]:
        """The bodies of the messages that are here whole, after one look at the socket.

        Raises EOFError or OSError where the other side is gone, ValueError for a frame that is too long.
        """
        try:
            piece = self._socket.recv(PIECE)
        except BlockingIOError:
            return
        if not piece:
            raise EOFError
        self._in += piece
        while len(self._in) >= LENGTH.size:
            (length,) = LENGTH.unpack_from(self._in)
            if length > MAX_FRAME:
                raise ValueError(f"a message of {length} bytes, over {MAX_FRAME}")
            end = LENGTH.size + length
            if len(self._in) < end:
                return
            body = bytes(self._in[LENGTH.size : end])
            del self._in[:end]
            yield body

    def close(self) -> None:
        self._socket.close()


class WorkerChannel:
    """The worker's end, which waits. One thread may send while another receives."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._reader = self._socket.makefile("rb")

    def send(self, message: BaseModel) -> None:
        """Raises OSError where the service is gone."""
        self._socket.sendall(frame(message))

    def receive(self) -> bytes:
        """The body of the next message. Raises EOFError or OSError where the service is gone."""
        (length,) = LENGTH.unpack(self._exactly(LENGTH.size))
        return self._exactly(length)

    def close(self) -> None:
        self._reader.close()
        self._socket.close()

    def _exactly(self, size: int) -> bytes:
        found = self._reader.read(size)
        if len(found) < size:
            raise EOFError
        return found
