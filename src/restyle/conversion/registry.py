"""The models of a service: those that come with engines, those an operator registered, those a program adds."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from restyle.conversion.models import (
    CHECKPOINT_DEFAULTS,
    SUB_KINDS,
    MainModel,
    SubModel,
    lost,
    misfit,
    missing_libraries,
    not_installed,
    shown,
)
from restyle.engines.base import Family
from restyle.engines.families import FAMILIES
from restyle.models.catalogue import Catalogue, Entry
from restyle.models.current import CurrentCatalogue
from restyle.models.kinds import Kind
from restyle.models.shelf import Shelf
from restyle.settings import Settings
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

EXAMPLE_CODE = "PICPIK Interior Design"
"""The ModelCode of the example on PICPIK's page. The first engine's model answers to it until an operator registers
such a model."""


@dataclass(frozen=True, slots=True)
class Models:
    """All models at one state of the catalogue."""

    catalogue: Catalogue
    mains: Mapping[str, MainModel]
    subs: Mapping[str, SubModel]


class Registry:
    """The models of one service: those shipped, those of the catalogue in the data folder, and ``main`` and ``sub``.

    Of models with the same code the later in this order wins. What is registered or removed while the service runs is
    seen at the next look; a catalogue that became unreadable meanwhile is logged, and the last readable one stands.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        main: Iterable[MainModel] = (),
        sub: Iterable[SubModel] = (),
        families: Iterable[Family] = FAMILIES,
    ) -> None:
        self._settings = settings
        self._families = tuple(families)
        self._shipped = tuple(self._official())
        self._main, self._sub = tuple(main), tuple(sub)
        self._catalogue = CurrentCatalogue(settings.data_dir)
        self._models = self._put_together(self._catalogue.get())
        own = [model.entry for model in self._main if model.entry is not None]
        own += [model.entry for model in self._sub]
        weights = [(model.family.weights, model.weights) for model in self._shipped]
        self._shelf = Shelf(
            self._catalogue,
            {entry.sha256: entry.path for entry in own}
            | {each.sha256: path for each, path in weights if each is not None and path is not None},
        )

    @property
    def mains(self) -> Mapping[str, MainModel]:
        """All main models by code, also those that cannot draw now (:meth:`MainModel.absence`)."""
        return self._current().mains

    @property
    def subs(self) -> Mapping[str, SubModel]:
        """All sub-models by code, likewise."""
        return self._current().subs

    @property
    def families(self) -> tuple[Family, ...]:
        """All engines that models may name."""
        found = {family.name: family for family in (*(model.family for model in self._main), *self._families)}
        return tuple(found.values())

    @property
    def catalogue(self) -> Catalogue:
        """The registered files as they stand."""
        return self._current().catalogue

    def file(self, sha256: str) -> Path:
        """Where the file of that hash lies on this machine. Raises RestyleError 4004 where it does not."""
        return self._shelf.find(sha256)

    def family(self, name: str) -> Family:
        """The engine of that name. Raises RestyleError 4004 where this release has none."""
        for family in self.families:
            if family.name == name:
                return family
        raise RestyleError(Code.MODEL_NOT_FOUND, f"this installation has no engine called {shown(name)}")

    def main(self, code: str, *, field: str) -> MainModel:
        """The main model of that code; ``field`` is what the door calls it.

        Raises RestyleError 4004 where there is none, and where it cannot draw now.
        """
        found = self.mains.get(code)
        if found is None:
            raise RestyleError(
                Code.MODEL_NOT_FOUND,
                f"no main model has the ModelCode {_unknown(code, self.mains)}",
                field=field,
            )
        if absence := found.absence():
            raise RestyleError(Code.MODEL_NOT_FOUND, f"{shown(code)} cannot draw: {absence}", field=field)
        return found

    def sub(self, code: str, main: MainModel, *, field: str) -> SubModel:
        """The sub-model of that code, fit for ``main``; ``field`` is what the door calls it.

        Raises RestyleError 4005 where the main model takes no such sub-model (one that takes none at all: whatever the
        code), 4004 where no sub-model has the code.
        """
        if not main.takes:
            raise RestyleError(
                Code.SUB_MODEL_UNFIT, f"{main.code} takes no sub-models; leave SubModelList empty", field=field
            )
        found = self.subs.get(code)
        if found is None:
            raise RestyleError(
                Code.MODEL_NOT_FOUND,
                f"no sub-model has the ModelCode {_unknown(code, self.subs)}",
                field=field,
            )
        if reason := misfit(found, main):
            raise RestyleError(Code.SUB_MODEL_UNFIT, reason, field=field)
        if absence := found.absence():
            raise RestyleError(Code.MODEL_NOT_FOUND, f"{shown(code)} cannot be used: {absence}", field=field)
        return found

    def _current(self) -> Models:
        catalogue = self._catalogue.get()
        if catalogue is not self._models.catalogue:
            self._models = self._put_together(catalogue)
        return self._models

    def _put_together(self, catalogue: Catalogue) -> Models:
        mains = {model.code: model for model in self._shipped}
        for entry in catalogue.of(Kind.MAIN):
            family = next((one for one in self._families if entry.architecture in one.architectures), None)
            if family is not None:
                mains[entry.code] = self._checkpoint(entry, family, catalogue)
        subs = {entry.code: SubModel(entry) for entry in catalogue.entries if entry.kind in SUB_KINDS}
        return Models(
            catalogue,
            mains | {model.code: model for model in self._main},
            subs | {model.code: model for model in self._sub},
        )

    def _official(self) -> Iterable[MainModel]:
        """The models that come with the engines, and the example's code for the first of them."""
        shipped = [family for family in self._families if family.model]
        for family in shipped:
            yield self._own(family, family.model, family.model)
        if shipped:
            first = shipped[0]
            yield self._own(first, EXAMPLE_CODE, f"{first.model} (answers to {EXAMPLE_CODE})")

    def _own(self, family: Family, code: str, name: str) -> MainModel:
        lacking = missing_libraries(family)
        return MainModel(
            code,
            name,
            family,
            self._settings.price(family.name),
            is_official=True,
            defaults=family.defaults,
            weights=self._settings.data_dir / "models" / family.weights.path if family.weights else None,
            missing=not_installed(family, lacks_libraries=True) if lacking else lost(family),
        )

    def _checkpoint(self, entry: Entry, family: Family, catalogue: Catalogue) -> MainModel:
        lacking, base = missing_libraries(family), entry.facts.get("base")
        missing = ""
        if lacking:
            missing = f"the server lacks {', '.join(lacking)}; whoever runs it can install it: {family.install}"
        elif base and all(each.code != base for each in catalogue.of(Kind.MAIN)):
            missing = f"{shown(base)}, which completes it, is no longer registered"
        return MainModel(
            entry.code,
            entry.name,
            family,
            self._settings.price(family.name),
            defaults={**CHECKPOINT_DEFAULTS, **family.defaults, **entry.defaults},
            entry=entry,
            missing=missing,
        )


def _unknown(code: str, known: Iterable[str]) -> str:
    """A code that nothing has, with the one that was meant where one is near or has it as a word, and where all are."""
    wanted = code.casefold()
    folded = {each.casefold(): each for each in known}
    near = [each for each in folded if wanted in each.split()] or get_close_matches(wanted, folded, 1)
    meant = f"; {shown(folded[near[0]])} is nearest to it" if near else ""
    return f"{shown(code)}{meant}; ListModels names those there are"
