"""Language packages from the public index of Argos Translate. The only part of translation that uses the network."""

import json
from dataclasses import dataclass
from pathlib import Path

import httpx

from restyle.models.files.fetch import Wanted
from restyle.models.files.line import Patience, Source, failed, read
from restyle.prompts.codes import ENGLISH

INDEX = Source("https://raw.githubusercontent.com/argosopentech/argospm-index/main/index.json")
MIB = 1024 * 1024
MOST_INDEX_BYTES = 8 * MIB
MOST_PACKAGE_BYTES = 1024 * MIB


@dataclass(frozen=True, slots=True)
class Offer:
    """A package of the index, which tells no hash of it."""

    code: str
    version: str
    url: str


def offers(http: httpx.Client, index: Source = INDEX, *, patience: Patience | None = None) -> dict[str, Offer]:
    """The newest package into English of each language. Raises RestyleError (5000) where the index cannot be read."""
    data = read(http, index, most=MOST_INDEX_BYTES, patience=patience)
    try:
        found: dict[str, Offer] = {}
        for entry in json.loads(data):
            offer = Offer(entry["from_code"], str(entry["package_version"]), str(entry["links"][0]))
            known = found.get(offer.code)
            if entry["to_code"] == ENGLISH and (known is None or _order(known.version) < _order(offer.version)):
                found[offer.code] = offer
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise failed(f"the index {index.url} is not as expected: {error!r}") from error
    return found


def wanted(offer: Offer, target: Path, *, loopback: bool = False) -> Wanted:
    """The package as a file to be fetched to ``target``; what was cut off is gone on with if it is the same."""
    return Wanted(Source(offer.url, loopback=loopback), target, MOST_PACKAGE_BYTES)


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else 0 for part in version.split("."))
