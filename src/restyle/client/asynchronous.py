"""The client for programs with an event loop, asyncio's or trio's."""

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

import anyio
import anyio.to_thread
import httpx
from PIL import Image

from restyle.client.core import Balance, Core, Models, Progress
from restyle.client.flow import Compute, Exchange, Flow, Lost, Pause, Reply
from restyle.client.style import Style
from restyle.client.sync import RETRIES, TIMEOUT, lost, reply
from restyle.client.task import Task
from restyle.conversion.options import Options, spelt_out
from restyle.images.source import Source

T = TypeVar("T")


class AsyncClient:
    """:class:`restyle.Client`, awaited. Files, signatures and pictures are worked on in threads."""

    def __init__(
        self,
        url: str,
        public_key: str,
        private_key: str,
        *,
        timeout: float = TIMEOUT,
        retries: int = RETRIES,
        timed: bool = False,
    ) -> None:
        self._core = Core(url, public_key, private_key, timeout, retries, timed)
        self._http = httpx.AsyncClient(follow_redirects=False)

    @spelt_out
    async def convert(
        self, raw: Source, style: Source, *, on_progress: Progress | None = None, **options: Unpack[Options]
    ) -> list[Image.Image]:
        """See :meth:`restyle.Client.convert`."""
        pictures: list[Image.Image] = await self._run(self._core.convert(raw, style, options, on_progress))
        return pictures

    @spelt_out
    async def submit(
        self, raw: Source, style: Source, *, request_uuid: str | None = None, **options: Unpack[Options]
    ) -> Task:
        """See :meth:`restyle.Client.submit`."""
        return await self._run(self._core.submit(raw, style, options, request_uuid))

    async def wait(
        self, task: Task | str, *, on_progress: Progress | None = None, timeout: float | None = None
    ) -> Task:
        """See :meth:`restyle.Client.wait`."""
        return await self._run(self._core.wait(task, on_progress, timeout))

    async def download(self, task: Task) -> list[Image.Image]:
        """See :meth:`restyle.Client.download`."""
        return await self._run(self._core.download(task))

    async def details(self, tasks: Sequence[Task | str]) -> list[Task]:
        """See :meth:`restyle.Client.details`."""
        return await self._run(self._core.details(tasks))

    async def cancel(self, task: Task | str) -> None:
        """See :meth:`restyle.Client.cancel`."""
        await self._run(self._core.cancel(task))

    async def running(self) -> list[str]:
        """See :meth:`restyle.Client.running`."""
        return await self._run(self._core.running())

    async def models(self) -> Models:
        """See :meth:`restyle.Client.models`."""
        return await self._run(self._core.models())

    async def styles(self, *, thumbnails: bool = False) -> list[Style]:
        """See :meth:`restyle.Client.styles`."""
        return await self._run(self._core.styles(thumbnails))

    async def save_style(self, code: str, picture: Source, **options: Unpack[Options]) -> None:
        """See :meth:`restyle.Client.save_style`."""
        await self._run(self._core.save_style(code, picture, options))

    async def delete_style(self, code: str) -> None:
        """See :meth:`restyle.Client.delete_style`."""
        await self._run(self._core.delete_style(code))

    async def balance(self) -> Balance:
        """See :meth:`restyle.Client.balance`."""
        return await self._run(self._core.balance())

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _run(self, flow: Flow[T]) -> T:
        outcome: Any = None
        while True:
            try:
                effect = flow.send(outcome)
            except StopIteration as end:
                result: T = end.value
                return result
            match effect:
                case Exchange():
                    outcome = await self._exchange(effect)
                case Pause(seconds):
                    await anyio.sleep(seconds)
                    outcome = None
                case Compute(function):
                    outcome = await anyio.to_thread.run_sync(function)

    async def _exchange(self, wanted: Exchange) -> Reply | Lost:
        try:
            found = await self._http.request(
                wanted.method, wanted.url, content=wanted.content, headers=wanted.headers, timeout=wanted.timeout
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return lost(error)
        return reply(found)
