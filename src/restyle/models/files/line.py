"""Asking for files over HTTPS: each step of a redirect is checked, and what may pass is told from what will not."""

import ipaddress
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TypeVar

import httpx

from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

T = TypeVar("T")
MOST_REDIRECTS = 10
PASSING = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})
"""Statuses below 500 that are worth another try."""
READ = frozenset({HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE})


@dataclass(frozen=True, slots=True)
class Patience:
    """When to give up: after ``tries`` in a row that brought nothing new.

    Before the next one ``pause`` seconds pass, twice as many each time; the server may say how many. Never more than
    ``longest``. ``sleep`` is how they pass; what it raises ends the waiting.
    """

    tries: int = 5
    pause: float = 1.0
    longest: float = 60.0
    sleep: Callable[[float], object] = time.sleep

    def before(self, failures: int, wanted: float | None) -> float:
        """Seconds to wait after that many failures in a row; ``wanted`` is the server's word."""
        return min(self.longest, self.pause * 2.0 ** max(0, failures - 1) if wanted is None else wanted)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a file is had: ``url``, an https address; ``loopback`` allows http to this machine.

    ``own_headers``, such as a token, go to the host of ``url`` and not where it redirects. ``advice`` are words for
    statuses of that host: what to do about a 401, for one.
    """

    url: str
    own_headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    advice: Mapping[int, str] = field(default_factory=dict)
    loopback: bool = False


class Lost(Exception):
    """The line broke, or the server is busy: another try may do. ``after`` is in how many seconds, if it said so."""

    def __init__(self, reason: str, after: float | None = None) -> None:
        super().__init__(reason)
        self.after = after


def client(timeout: float = 60.0) -> httpx.Client:
    """A client that uses the proxies and certificates of the environment; a line silent for ``timeout`` s is lost."""
    return httpx.Client(timeout=httpx.Timeout(30.0, read=timeout))


def until_done(attempt: Callable[[], T], patience: Patience, url: str, there: Callable[[], int] = lambda: 0) -> T:
    """``attempt()``, again as long as it is :class:`Lost`; ``there`` counts the bytes that came, and more is progress.

    Raises RestyleError (5000) with the last reason when patience ends.
    """
    failures = 0
    while True:
        before = there()
        try:
            return attempt()
        except Lost as lost:
            failures = 0 if there() > before else failures + 1
            if failures >= patience.tries:
                raise failed(f"{shown(url)} cannot be fetched: {lost}, {failures} times in a row") from lost
            patience.sleep(patience.before(failures, lost.after))


@contextmanager
def opened(http: httpx.Client, source: Source, headers: Mapping[str, str]) -> Iterator[httpx.Response]:
    """The answer (200, 206 or 416) to a GET, its body not yet read.

    Raises RestyleError (5000) for what stays as it is, :class:`Lost` for what may pass, also out of the block.
    """
    first = address = _address(source.url)
    try:
        for _ in range(MOST_REDIRECTS + 1):
            _check_scheme(address, source.loopback)
            at_home = _origin(address) == _origin(first)
            asked = {"Accept-Encoding": "identity", **headers, **(source.own_headers if at_home else {})}
            with http.stream("GET", address, headers=asked, follow_redirects=False) as response:
                if response.next_request is not None:
                    address = response.next_request.url
                    continue
                _check_status(address, response, source.advice if at_home else None)
                yield response
                return
    except httpx.InvalidURL as error:
        raise failed(f"{shown(source.url)} leads to no address: {error}") from error
    except httpx.UnsupportedProtocol as error:
        raise failed(f"{shown(address)} is not an https address") from error
    except httpx.TransportError as error:
        raise Lost(f"{shown(address)}: {error or type(error).__name__}") from error
    except httpx.HTTPError as error:
        raise failed(f"{shown(address)} cannot be fetched: {error}") from error
    raise failed(f"{shown(source.url)} redirects more than {MOST_REDIRECTS} times")


def read(http: httpx.Client, source: Source, *, most: int, patience: Patience | None = None) -> bytes:
    """A small document, whole. Raises RestyleError (5000) where it cannot be had or has more than ``most`` bytes."""

    def attempt() -> bytes:
        data = bytearray()
        with opened(http, source, {}) as response:
            for chunk in response.iter_raw():
                data += chunk
                if len(data) > most:
                    raise failed(f"{shown(source.url)} is larger than {most:,} bytes")
        return bytes(data)

    return until_done(attempt, patience or Patience(), source.url)


def shown(url: str | httpx.URL) -> str:
    """An address for messages, without what may be secret in it."""
    try:
        address = httpx.URL(url)
        return str(address.copy_with(userinfo=b"", query=None, fragment=None))
    except httpx.InvalidURL:
        return repr(str(url)[:80])


def failed(message: str) -> RestyleError:
    """The error (5000) of a file that cannot be had."""
    return RestyleError(Code.INTERNAL_ERROR, message)


def _address(url: str) -> httpx.URL:
    try:
        return httpx.URL(url)
    except httpx.InvalidURL as error:
        raise failed(f"{shown(url)} is not an address: {error}") from error


def _check_scheme(address: httpx.URL, loopback: bool) -> None:
    if address.scheme == "https" or (loopback and address.scheme == "http" and is_loopback(address.host)):
        return
    raise failed(f"{shown(address)} is not an https address")


def is_loopback(host: str) -> bool:
    """Whether ``host``, a name or an address, is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _origin(address: httpx.URL) -> tuple[str, str, int | None]:
    return address.scheme, address.host, address.port


def _check_status(address: httpx.URL, response: httpx.Response, advice: Mapping[int, str] | None) -> None:
    """``advice`` is None at a host that was redirected to: the address there was made for the one who asks, for a time
    that may have run out, and is made anew at the next try.
    """
    status = response.status_code
    said = f"{shown(address)} answered {status} {response.reason_phrase}".rstrip()
    ran_out = advice is None and status == HTTPStatus.FORBIDDEN
    if ran_out or status in PASSING or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise Lost(said, _retry_after(response.headers.get("Retry-After", "")))
    if status not in READ:
        raise failed("; ".join(filter(None, (said, (advice or {}).get(status)))))
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise failed(f"{shown(address)} sends the file compressed, though it was asked not to")


def _retry_after(value: str) -> float | None:
    """Seconds, said as a number or as a date; None where neither is said."""
    if value.isdecimal():
        return float(value)
    try:
        then = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (then - datetime.now(UTC)).total_seconds()) if then.tzinfo else None
