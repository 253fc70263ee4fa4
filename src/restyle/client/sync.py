"""The client for ordinary programs."""

import ssl
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

import httpx
from PIL import Image

from restyle.client.core import Balance, Core, Models, Progress
from restyle.client.flow import Compute, Exchange, Flow, Lost, Pause, Reply
from restyle.client.style import Style
from restyle.client.task import Task
from restyle.conversion.options import Options, spelt_out
from restyle.images.source import Source

T = TypeVar("T")

TIMEOUT = 600.0
RETRIES = 4


class Client:
    """A service and an account there: ``Client("http://127.0.0.1:8484", public_key, private_key)``.

    Restyle's or PICPIK's own (``https://api.picpik.ai``). Every call may raise
    :class:`~restyle.client.errors.ServiceError` (the service said no), :class:`~restyle.client.errors.NoAnswer`
    (nobody answered in time) or another :class:`~restyle.wire.errors.RestyleError`.

    ``timeout`` bounds each call in seconds, waiting and repeating included. Network errors and HTTP 408, 429, 502, 503
    and 504 are repeated up to ``retries`` times, a submission always with the same ``request_uuid``. ``timed`` adds the
    header that keys with timestamps require. Safe to share between threads.
    """

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
        self._http = httpx.Client(follow_redirects=False)

    @spelt_out
    def convert(
        self, raw: Source, style: Source, *, on_progress: Progress | None = None, **options: Unpack[Options]
    ) -> list[Image.Image]:
        """``raw`` redrawn in the style of ``style``: submit, wait, download. One image per ``batch_size``.

        Pictures are paths, bytes, PIL images or uint8 arrays; ``style`` may also be the name of a style that the
        service keeps, a text without a slash and without the ending of a file's name, as ``"woodcut"``. What is given
        goes over what that style keeps. ``help(restyle.Options)`` explains the options. ``info`` holds ``seed``,
        ``notices`` and ``seconds``, those of the whole call.
        """
        pictures: list[Image.Image] = self._run(self._core.convert(raw, style, options, on_progress))
        return pictures

    @spelt_out
    def submit(
        self, raw: Source, style: Source, *, request_uuid: str | None = None, **options: Unpack[Options]
    ) -> Task:
        """Like ``convert``, but returns as soon as the task is accepted."""
        return self._run(self._core.submit(raw, style, options, request_uuid))

    def wait(self, task: Task | str, *, on_progress: Progress | None = None, timeout: float | None = None) -> Task:
        """The task once it is finished. Raises TaskFailed where it ends as Error."""
        return self._run(self._core.wait(task, on_progress, timeout))

    def download(self, task: Task) -> list[Image.Image]:
        """The pictures of a finished task."""
        return self._run(self._core.download(task))

    def details(self, tasks: Sequence[Task | str]) -> list[Task]:
        """How tasks stand now, 1 to 100 of them, in the order given."""
        return self._run(self._core.details(tasks))

    def cancel(self, task: Task | str) -> None:
        """Stop a task; its credits return. One that has ended otherwise raises ServiceError 4011."""
        self._run(self._core.cancel(task))

    def running(self) -> list[str]:
        """TaskUIDs of the tasks that have not ended."""
        return self._run(self._core.running())

    def models(self) -> Models:
        """The models of the service."""
        return self._run(self._core.models())

    def styles(self, *, thumbnails: bool = False) -> list[Style]:
        """The styles that the service keeps for the account, then the official ones; with their ``thumbnails``."""
        return self._run(self._core.styles(thumbnails))

    def save_style(self, code: str, picture: Source, **options: Unpack[Options]) -> None:
        """Keep ``picture`` and those ``options`` as the style ``code``, in place of the account's style of that name.

        Size, seed, number of images, fit and transparency are not kept with a style.
        """
        self._run(self._core.save_style(code, picture, options))

    def delete_style(self, code: str) -> None:
        """Forget a style of the account."""
        self._run(self._core.delete_style(code))

    def balance(self) -> Balance:
        """The credits of the account."""
        return self._run(self._core.balance())

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self, flow: Flow[T]) -> T:
        outcome: Any = None
        while True:
            try:
                effect = flow.send(outcome)
            except StopIteration as end:
                result: T = end.value
                return result
            match effect:
                case Exchange():
                    outcome = self._exchange(effect)
                case Pause(seconds):
                    time.sleep(seconds)
                    outcome = None
                case Compute(function):
                    outcome = function()

    def _exchange(self, wanted: Exchange) -> Reply | Lost:
        try:
            found = self._http.request(
                wanted.method, wanted.url, content=wanted.content, headers=wanted.headers, timeout=wanted.timeout
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return lost(error)
        return reply(found)


def reply(found: httpx.Response) -> Reply:
    """httpx's answer as ours."""
    return Reply(found.status_code, {name.lower(): value for name, value in found.headers.items()}, found.content)


def lost(error: Exception) -> Lost:
    """httpx's exception as a reason; some of them have no words."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__ or cause.__context__
    match cause:
        case ssl.SSLCertVerificationError():
            return Lost(f"its certificate is not to be trusted: {cause.verify_message}", passing=False)
        case ssl.SSLError() if not isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return Lost(f"it does not speak TLS ({cause.reason}); try http:// instead of https://", passing=False)
    return Lost(str(error) or type(error).__name__)
