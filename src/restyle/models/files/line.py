"""Asking for files over HTTPS: each step of a redirect is checked, and what may pass is told from what will not."""

import ipaddress
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
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
    ``longest``.
    """

    tries: int = 5
    pause: float = 1.0
    longest: float = 60.0

    def before(self, failures: int, wanted: float | None) -> float:
        """Seconds to wait after that many failures in a row; ``wanted`` is the server's word."""
        return min(self.longest, self.pause * 2.0 ** max(0, failures - 1) if wanted is None else wanted)


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
            time.sleep(patience.before(failures, lost.after))


@contextmanager
def opened(
    http: httpx.Client,
    url: str,
    *,
    headers: Mapping[str, str],
    own_headers: Mapping[str, str],
    loopback: bool = False,
) -> Iterator[httpx.Response]:
    """The answer (200, 206 or 416) to a GET, its body not yet read. ``own_headers`` go to the host of ``url`` alone.

    Raises RestyleError (5000) for what stays as it is, :class:`Lost` for what may pass, also out of the block.
    """
    first = address = _address(url)
    try:
        for _ in range(MOST_REDIRECTS + 1):
            _check_scheme(address, loopback)
            own = own_headers if _origin(address) == _origin(first) else {}
            asked = {"Accept-Encoding": "identity", **headers, **own}
            with http.stream("GET", address, headers=asked, follow_redirects=False) as response:
                if response.next_request is not None:
                    address = response.next_request.url
                    continue
                _check_status(address, response)
                yield response
                return
    except httpx.InvalidURL as error:
        raise failed(f"{shown(url)} leads to no address: {error}") from error
    except httpx.UnsupportedProtocol as error:
        raise failed(f"{shown(address)} is not an https address") from error
    except httpx.TransportError as error:
        raise Lost(f"{shown(address)}: {error or type(error).__name__}") from error
    except httpx.HTTPError as error:
        raise failed(f"{shown(address)} cannot be fetched: {error}") from error
    raise failed(f"{shown(url)} redirects more than {MOST_REDIRECTS} times")


def read(http: httpx.Client, url: str, *, most: int, loopback: bool = False, patience: Patience | None = None) -> bytes:
    """A small document, whole. Raises RestyleError (5000) where it cannot be had or has more than ``most`` bytes."""

    def attempt() -> bytes:
        data = bytearray()
        with opened(http, url, headers={}, own_headers={}, loopback=loopback) as response:
            for chunk in response.iter_raw():
                data += chunk
                if len(data) > most:
                    raise failed(f"{shown(url)} is larger than {most:,} bytes")
        return bytes(data)

    return until_done(attempt, patience or Patience(), url)


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
    if address.scheme == "https" or (loopback and address.scheme == "http" and _is_loopback(address.host)):
        return
    raise failed(f"{shown(address)} is not an https address")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _origin(address: httpx.URL) -> tuple[str, str, int | None]:
    return address.scheme, address.host, address.port


def _check_status(address: httpx.URL, response: httpx.Response) -> None:
    status = response.status_code
    said = f"{shown(address)} answered {status} {response.reason_phrase}".rstrip()
    if status in PASSING or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise Lost(said, _retry_after(response.headers.get("Retry-After", "")))
    if status not in READ:
        raise failed(said)
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
