"""Language packages from the public index of Argos Translate. The only part of translation that uses the network."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from restyle.prompts.codes import ENGLISH
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

INDEX = "https://raw.githubusercontent.com/argosopentech/argospm-index/main/index.json"
MIB = 1024 * 1024
MOST_INDEX_BYTES = 8 * MIB
MOST_PACKAGE_BYTES = 1024 * MIB

_TIMEOUT = httpx.Timeout(30, read=120)


@dataclass(frozen=True, slots=True)
class Offer:
    """A package of the index."""

    code: str
    version: str
    url: str


def offers(client: httpx.Client, index: str = INDEX) -> dict[str, Offer]:
    """The newest package into English of each language. Raises RestyleError (5000) where the index cannot be read."""
    data = bytearray()
    _stream(client, index, MOST_INDEX_BYTES, data.extend)
    try:
        entries: Any = httpx.Response(200, content=bytes(data)).json()
        found: dict[str, Offer] = {}
        for entry in entries:
            offer = Offer(entry["from_code"], str(entry["package_version"]), entry["links"][0])
            known = found.get(offer.code)
            if entry["to_code"] == ENGLISH and (known is None or _order(known.version) < _order(offer.version)):
                found[offer.code] = offer
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise _failed(f"the index {index} is not as expected: {error!r}") from error
    return found


def download(client: httpx.Client, offer: Offer, target: Path) -> None:
    """Write the package to ``target``. Raises RestyleError (5000) where it cannot be had, or is over the limit."""
    with target.open("wb") as file:
        _stream(client, offer.url, MOST_PACKAGE_BYTES, file.write)


def client() -> httpx.Client:
    """A client with patience for large files. Redirects are followed here, so that each step is seen to be https."""
    return httpx.Client(timeout=_TIMEOUT, follow_redirects=False)


def _stream(http: httpx.Client, url: str, most: int, take: Callable[[bytes], object]) -> None:
    address = httpx.URL(url)
    try:
        for _ in range(5):
            if address.scheme != "https":
                raise _failed(f"{address} is not an https address")
            with http.stream("GET", address) as response:
                if response.next_request is not None:
                    address = response.next_request.url
                    continue
                response.raise_for_status()
                size = 0
                for chunk in response.iter_bytes():
                    size += len(chunk)
                    if size > most:
                        raise _failed(f"{address} is larger than {most // MIB} MiB")
                    take(chunk)
                return
    except httpx.HTTPError as error:
        raise _failed(f"{address} cannot be fetched: {error}") from error
    raise _failed(f"{url} redirects too often")


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else 0 for part in version.split("."))


def _failed(message: str) -> RestyleError:
    return RestyleError(Code.INTERNAL_ERROR, message)
