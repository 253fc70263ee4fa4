"""How a client talks, without doing it: generators that ask for one effect at a time and are sent what came of it.

``Client`` and ``AsyncClient`` differ only in how they carry the effects out.
"""

import random
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import count
from typing import Any, TypeVar

from restyle.client.errors import NoAnswer

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Exchange:
    """Send this and send back a Reply or a Lost. ``timeout`` is seconds."""

    method: str
    url: str
    timeout: float
    content: bytes | None = None
    headers: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait this many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Compute:
    """Call this, away from an event loop, and send back what it returns."""

    function: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer of any status; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes


@dataclass(frozen=True, slots=True)
class Lost:
    """No HTTP answer came, for this reason. ``passing`` says whether one may come to the same request later."""

    reason: str
    passing: bool = True


Effect = Exchange | Pause | Compute
Flow = Generator[Effect, Any, T]

PASSING = frozenset({408, 429, 502, 503, 504})
"""HTTP statuses that pass: too many requests, a proxy without its server, a service that is restarting."""

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 8.0
LONGEST_SILENCE = 60.0
"""Seconds without a byte, either way, after which an exchange counts as lost."""


class Deadline:
    """A moment ``seconds`` from now."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._at = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds left; below 0 once it is over."""
        return self._at - time.monotonic()


def exchange(make: Callable[[], Exchange], deadline: Deadline, retries: int) -> Flow[Reply]:
    """Send what ``make`` makes until an answer comes that is not passing, or none can come; at most ``retries`` times
    more.

    Pauses double from half a second to eight, at random between half and whole so that clients do not come back
    together; ``Retry-After`` is honoured. Returns the last answer; raises NoAnswer where the last attempt had none.
    """
    for attempt in count():
        request = make()
        silence = max(0.001, min(LONGEST_SILENCE, deadline.left()))
        answer: Reply | Lost = yield Exchange(request.method, request.url, silence, request.content, request.headers)
        if isinstance(answer, Reply) and answer.status not in PASSING:
            return answer
        seconds = pause(attempt, answer)
        final = isinstance(answer, Lost) and not answer.passing
        if final or attempt >= retries or seconds >= deadline.left():
            if isinstance(answer, Reply):
                return answer
            raise NoAnswer(f"{request.url.partition('?')[0]} does not answer: {answer.reason}")
        yield Pause(seconds)
    raise AssertionError("unreachable")


def pause(attempt: int, answer: Reply | Lost) -> float:
    """Seconds to wait after the attempt of that number, counted from 0."""
    seconds = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0**attempt) * random.uniform(0.5, 1)
    told = answer.headers.get("retry-after", "") if isinstance(answer, Reply) else ""
    return max(seconds, _retry_after(told))


def _retry_after(text: str) -> float:
    """Seconds, or a date; 0 for what is neither."""
    if text.isascii() and text.isdecimal():
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    return (date - datetime.now(UTC)).total_seconds() if date.tzinfo else 0.0
