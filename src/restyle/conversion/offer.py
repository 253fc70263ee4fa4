"""What a machine can draw, as JSON that it tells the others; and the registry of whoever knows several such machines.

A machine that answers clients plans for those that draw: their models are its models, and what it has itself on its
disk does not matter.
"""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog

from restyle.conversion.models import MainModel, SubModel, missing_libraries
from restyle.conversion.registry import Models, Registry
from restyle.models.catalogue import Catalogue, Entry
from restyle.models.kinds import Architecture, Kind
from restyle.settings import Settings
from restyle.wire.errors import RestyleError

Offer = Mapping[str, Any]
"""``families``: names of the engines; ``files``: the SHA-256 of all files; ``mains``, ``subs``, ``entries``."""
ELSEWHERE = Path("/")
"""Stands for the place of a file that another machine has: where it lies is that machine's own affair."""

log = structlog.get_logger(__name__)


def offer_of(registry: Registry) -> Offer:
    """What this machine can draw at the moment: models that lack nothing, and files that are there."""
    mains = [model for model in registry.mains.values() if not model.absence()]
    subs = [model for model in registry.subs.values() if not model.absence()]
    entries = [entry for entry in registry.catalogue.entries if entry.path.exists()]
    own = [model.entry for model in mains if model.entry is not None] + [model.entry for model in subs]
    weights = [model.family.weights for model in mains if model.weights is not None]
    return {
        "families": sorted(family.name for family in registry.families if not missing_libraries(family)),
        "files": sorted({entry.sha256 for entry in (*entries, *own)} | {each.sha256 for each in weights if each}),
        "mains": [_main(model) for model in mains],
        "subs": [{"entry": _entry(model.entry), "is_official": model.is_official} for model in subs],
        "entries": [_entry(entry) for entry in entries],
    }


def digest_of(offer: Offer) -> str:
    """Differs whenever the offer does."""
    return hashlib.sha256(json.dumps(offer, sort_keys=True).encode()).hexdigest()[:16]


def can_draw(offer: Offer, family: str, files: Sequence[str]) -> bool:
    """Whether the machine of ``offer`` has that engine and all of these files."""
    return family in offer["families"] and set(files) <= set(offer["files"])


class FleetRegistry(Registry):
    """The models that the machines of ``offers`` can draw; a code that several have is that of the first of them.

    While nobody draws, they are those of before: what is missing then is a machine, no model.
    """

    def __init__(self, settings: Settings, own: Registry, offers: Callable[[], Sequence[Offer]]) -> None:
        super().__init__(settings, families=own.families)
        self._offers = offers
        self._seen: Sequence[Offer] | None = None
        self._fleet = Models(Catalogue(settings.data_dir), {}, {})

    def _current(self) -> Models:
        offers = self._offers()
        if offers is not self._seen and offers:
            self._fleet, self._seen = self._join(offers), offers
        return self._fleet

    def _join(self, offers: Sequence[Offer]) -> Models:
        entries: dict[str, Entry] = {}
        mains: dict[str, MainModel] = {}
        subs: dict[str, SubModel] = {}
        for offer in offers:
            for table in offer["entries"]:
                entries.setdefault(table["code"], _read_entry(table))
            for table in offer["mains"]:
                model = self._read_main(table)
                if model is not None:
                    mains.setdefault(model.code, model)
            for table in offer["subs"]:
                sub = SubModel(_read_entry(table["entry"]), table["is_official"])
                subs.setdefault(sub.code, sub)
        return Models(Catalogue(self._settings.data_dir, tuple(entries.values())), mains, subs)

    def _read_main(self, table: Mapping[str, Any]) -> MainModel | None:
        try:
            family = self.family(table["family"])
        except RestyleError:  # a machine of a later release, whose new engine this one cannot plan for
            log.warning("a machine offers an engine that this release does not have", family=table["family"])
            return None
        price = self._settings.price(family.name)
        return MainModel(
            table["code"],
            table["name"],
            family,
            table["price"] if price is None else price,
            is_official=table["is_official"],
            defaults=table["defaults"],
            entry=None if table["entry"] is None else _read_entry(table["entry"]),
            weights=ELSEWHERE if table["weights"] else None,
        )


def _main(model: MainModel) -> dict[str, Any]:
    return {
        "code": model.code,
        "name": model.name,
        "family": model.family.name,
        "price": model.price,
        "is_official": model.is_official,
        "defaults": dict(model.defaults),
        "entry": None if model.entry is None else _entry(model.entry),
        "weights": model.weights is not None,
    }


def _entry(entry: Entry) -> dict[str, Any]:
    table = dataclasses.asdict(entry)
    del table["path"]
    return table


def _read_entry(table: Mapping[str, Any]) -> Entry:
    architecture = table["architecture"]
    return Entry(
        **{
            **table,
            "kind": Kind(table["kind"]),
            "architecture": None if architecture is None else Architecture(architecture),
            "trigger_words": tuple(table["trigger_words"]),
            "path": ELSEWHERE,
        }
    )
