"""Language packages from the public index of Argos Translate. The only part of translation that uses the network."""

import json
from dataclasses import dataclass
from pathlib import Path

import httpx

from restyle.models.files.fetch import fetch
from restyle.models.files.line import Patience, failed, read
from restyle.models.files.part import Local, Progress
from restyle.prompts.codes import ENGLISH

INDEX = "https://raw.githubusercontent.com/argosopentech/argospm-index/main/index.json"
MIB = 1024 * 1024
MOST_INDEX_BYTES = 8 * MIB
MOST_PACKAGE_BYTES = 1024 * MIB


@dataclass(frozen=True, slots=True)
class Offer:
    """A package of the index, which tells no hash of it."""

    code: str
    version: str
    url: str


def offers(
    http: httpx.Client, index: str = INDEX, *, loopback: bool = False, patience: Patience | None = None
) -> dict[str, Offer]:
    """The newest package into English of each language. Raises RestyleError (5000) where the index cannot be read."""
    data = read(http, index, most=MOST_INDEX_BYTES, loopback=loopback, patience=patience)
    try:
        found: dict[str, Offer] = {}
        for entry in json.loads(data):
            offer = Offer(entry["from_code"], str(entry["package_version"]), str(entry["links"][0]))
            known = found.get(offer.code)
            if entry["to_code"] == ENGLISH and (known is None or _order(known.version) < _order(offer.version)):
                found[offer.code] = offer
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise failed(f"the index {index} is not as expected: {error!r}") from error
    return found


def download(
    http: httpx.Client,
    offer: Offer,
    target: Path,
    *,
    loopback: bool = False,
    report: Progress = lambda there, total: None,
    patience: Patience | None = None,
) -> Local:
    """Fetch the package to ``target``, going on where an earlier try was cut off, and return what came.

    Raises RestyleError (5000) where it cannot be had, or is over the limit.
    """
    return fetch(http, offer.url, target, most=MOST_PACKAGE_BYTES, loopback=loopback, report=report, patience=patience)


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else 0 for part in version.split("."))
