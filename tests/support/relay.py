"""A wire that can be cut, held and slowed, between a service and its database or its object store."""

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, TypeVar

PIECE = 64 * 1024
Address = tuple[str, int] | Path
"""Of a server: host and port, or the path of a Unix socket."""
State = Literal["open", "cut", "held"]
T = TypeVar("T")


class Relay:
    """Listens on a port of ``host`` and passes everything on to ``target``, until told otherwise.

    Runs in a thread of its own. Methods may be called from any thread, and have taken effect when they return.
    """

    def __init__(self, target: Address, host: str = "127.0.0.1") -> None:
        self._target = target
        self._state: State = "open"
        self._delay = 0.0
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="relay", daemon=True)
        self._thread.start()
        self._moving = asyncio.Event()
        self._moving.set()
        self._server = self._do(asyncio.start_server(self._serve, host, 0, backlog=512))
        self.port = int(self._server.sockets[0].getsockname()[1])

    def cut(self) -> None:
        """Reset every connection, and each new one."""
        self._do(self._change("cut", 0.0))

    def hold(self) -> None:
        """Take connections and bytes, and pass none on: as a network that loses everything without a word."""
        self._do(self._change("held", 0.0))

    def slow(self, seconds: float) -> None:
        """Pass each piece on so much later."""
        self._do(self._change("open", seconds))

    def heal(self) -> None:
        """Pass everything on again, what was held included."""
        self._do(self._change("open", 0.0))

    def close(self) -> None:
        """End all connections and the thread."""
        self._do(self._change("cut", 0.0))
        self._do(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, what: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(30)

    async def _change(self, state: State, delay: float) -> None:
        self._state, self._delay = state, delay
        (self._moving.clear if state == "held" else self._moving.set)()
        if state == "cut":
            for writer in list(self._writers):
                writer.transport.abort()

    async def _stop(self) -> None:
        self._server.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        upstream: asyncio.StreamWriter | None = None
        try:
            if self._state == "cut":
                return
            await self._moving.wait()
            answers, upstream = await self._connect()
            self._writers.add(upstream)
            ways = [
                asyncio.create_task(self._requests(reader, upstream, writer)),
                asyncio.create_task(self._pump(answers, writer)),
            ]
            _, rest = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in rest:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        except OSError:
            return  # the server is away: whoever called is told so by the end of its connection
        finally:
            for each in (writer, upstream):
                if each is not None:
                    self._writers.discard(each)
                    each.transport.abort()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._target, Path):
            return await asyncio.open_unix_connection(self._target)
        return await asyncio.open_connection(*self._target)

    async def _requests(
        self, reader: asyncio.StreamReader, upstream: asyncio.StreamWriter, _: asyncio.StreamWriter
    ) -> None:
        """From the client to the server."""
        await self._pump(reader, upstream)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(PIECE):
            await self._pass_on(writer, piece)
        with suppress(OSError):
            writer.write_eof()

    async def _pass_on(self, writer: asyncio.StreamWriter, piece: bytes) -> None:
        if self._delay:
            await asyncio.sleep(self._delay)
        await self._moving.wait()
        writer.write(piece)
        await writer.drain()


class StoreRelay(Relay):
    """In front of an object store: can refuse what would be stored, as one does that is full or overloaded."""

    def __init__(self, target: Address) -> None:
        self._refusal = 0
        super().__init__(target)

    def refuse(self, status: int) -> None:
        """Answer each PUT and POST with this status until :meth:`heal`; the rest goes on."""
        self._refusal = status

    def heal(self) -> None:
        self._refusal = 0
        super().heal()

    async def _requests(
        self, reader: asyncio.StreamReader, upstream: asyncio.StreamWriter, back: asyncio.StreamWriter
    ) -> None:
        while True:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                return
            rest = _length(head)
            refused = self._refusal if head[:4] in (b"PUT ", b"POST") else 0
            if not refused:
                await self._pass_on(upstream, head)
            while rest:
                piece = await reader.read(min(PIECE, rest))
                if not piece:
                    return
                rest -= len(piece)
                if not refused:
                    await self._pass_on(upstream, piece)
            if refused:
                back.write(b"HTTP/1.1 %d Refused\r\nContent-Length: 0\r\n\r\n" % refused)
                await back.drain()


def _length(head: bytes) -> int:
    """Content-Length of a request; those of our clients have one or no body."""
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0
