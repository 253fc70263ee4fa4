"""Which models there are, which engine draws each, and what that engine understands."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from importlib.util import find_spec
from math import ceil
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import structlog

from restyle.engines.base import Feature
from restyle.engines.neighbour.weights import INSTALL, weight_file
from restyle.models.catalogue import Catalogue, Entry
from restyle.models.kinds import Architecture, Kind
from restyle.settings import Settings
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError
from restyle.wire.schema import InferenceParams

log = structlog.get_logger(__name__)

PAINTER_CODE = "Restyle Painter"
NEIGHBOUR_CODE = "Restyle Neighbour"
NEIGHBOUR_STEPS = 30
"""Its own default: 10, the wire's, is a sketch."""
EXAMPLE_CODE = "PICPIK Interior Design"
"""The ModelCode of the example on PICPIK's page. The painter answers to it until an operator registers such a model."""

MEGAPIXEL = 1_000_000


@dataclass(frozen=True, slots=True)
class EngineFamily:
    """An engine, known by name.

    ``load`` is ``module:function``, a function of the settings that returns an Engine, imported only in the worker that
    draws. ``price`` is in credits per megapixel (1,000,000 pixels) of one image, of one step of it where the engine
    honours STEPS. ``samplers`` are those it knows; empty for an engine that has none.
    """

    name: str
    load: str
    price: float
    honours: frozenset[Feature] = frozenset()
    samplers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MainModel:
    """What a request may name as ``MainModel``. ``defaults`` are the InferenceParams it uses, with its own defaults.

    ``architecture`` and ``widths`` (of the inputs of its attention) decide which sub-models fit. ``missing`` says why
    it cannot draw, where something that it needs is not installed; ``file`` is what it also cannot draw without, and
    ``mend`` says what to do where that is not there.
    """

    code: str
    name: str
    family: EngineFamily
    is_official: bool = False
    defaults: Mapping[str, Any] = field(default_factory=dict)
    architecture: Architecture | None = None
    widths: frozenset[int] = frozenset()
    missing: str = ""
    file: Path | None = None
    mend: str = ""

    def absence(self) -> str:
        """Why it cannot draw now, in words for clients; empty where it can."""
        return self.missing or _absence(self.file, self.mend)

    def points(self, width: int, height: int, count: int, steps: int) -> int:
        """Credits of ``count`` images of ``width`` x ``height`` pixels, each rounded up; 0.1 x 3 megapixels is 0.3."""
        price = Fraction(repr(self.family.price)) * (steps if Feature.STEPS in self.family.honours else 1)
        return ceil(Fraction(width * height, MEGAPIXEL) * price) * count


@dataclass(frozen=True, slots=True)
class SubModel:
    """What a request may add to a main model: a LoRA, an embedding or a hypernetwork (``kind``).

    It fits main models of its ``architecture`` (None: of all); a hypernetwork must also know one of their ``widths``.
    """

    code: str
    name: str
    kind: Feature
    is_official: bool = False
    trigger_words: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    architecture: Architecture | None = None
    widths: frozenset[int] = frozenset()
    file: Path | None = None

    def absence(self) -> str:
        """As of a main model."""
        return _absence(self.file)


def _absence(file: Path | None, mend: str = "") -> str:
    if file is None or file.exists():
        return ""
    return mend or "its file is gone from the server; whoever runs it can restore it"


@dataclass(frozen=True, slots=True)
class _Models:
    """All models at one state of the catalogue."""

    catalogue: Catalogue
    mains: Mapping[str, MainModel]
    subs: Mapping[str, SubModel]


class Registry:
    """The models of one service: those shipped, those of the catalogue in the data folder, and ``main`` and ``sub``.

    Of models with the same code the later in this order wins. What is registered or removed while the service runs is
    seen at the next look; a catalogue that became unreadable meanwhile is logged, and the last readable one stands.
    """

    def __init__(self, settings: Settings, *, main: Iterable[MainModel] = (), sub: Iterable[SubModel] = ()) -> None:
        painter = EngineFamily("painter", "restyle.engines.painter.engine:load", settings.painter_price)
        self._settings = settings
        self._shipped = (
            MainModel(PAINTER_CODE, PAINTER_CODE, painter, is_official=True),
            MainModel(EXAMPLE_CODE, f"{PAINTER_CODE} (answers to {EXAMPLE_CODE})", painter, is_official=True),
            _neighbour(settings),
        )
        self._main, self._sub = tuple(main), tuple(sub)
        self._broken: object = ()  # the stamp of a catalogue that could not be read
        self._models = self._put_together(Catalogue.read(settings.data_dir))

    @property
    def mains(self) -> Mapping[str, MainModel]:
        """All main models by code, also those that cannot draw now (:meth:`MainModel.absence`)."""
        return self._current().mains

    @property
    def subs(self) -> Mapping[str, SubModel]:
        """All sub-models by code, likewise."""
        return self._current().subs

    def main(self, code: str) -> MainModel:
        """The main model of that code. Raises RestyleError 4004 where there is none, and where it cannot draw now."""
        found = self.mains.get(code)
        if found is None:
            raise RestyleError(
                Code.MODEL_NOT_FOUND,
                f"no main model has the ModelCode {_shown(code)}; ListModels names those there are",
                field="MainModel.ModelCode",
            )
        if absence := found.absence():
            raise RestyleError(
                Code.MODEL_NOT_FOUND, f"{_shown(code)} cannot draw: {absence}", field="MainModel.ModelCode"
            )
        return found

    def sub(self, code: str, main: MainModel, *, field: str) -> SubModel:
        """The sub-model of that code, fit for ``main``; ``field`` is the path of the code in the request.

        Raises RestyleError 4005 where the main model takes no such sub-model (one that takes none at all: whatever the
        code), 4004 where no sub-model has the code.
        """
        takes = main.family.honours & {Feature.LORA, Feature.EMBEDDING, Feature.HYPERNETWORK}
        if not takes:
            raise RestyleError(
                Code.SUB_MODEL_UNFIT, f"{main.code} takes no sub-models; leave SubModelList empty", field=field
            )
        found = self.subs.get(code)
        if found is None:
            raise RestyleError(
                Code.MODEL_NOT_FOUND,
                f"no sub-model has the ModelCode {_shown(code)}; ListModels names those there are",
                field=field,
            )
        if misfit := _misfit(found, main, takes):
            raise RestyleError(Code.SUB_MODEL_UNFIT, misfit, field=field)
        if absence := found.absence():
            raise RestyleError(Code.MODEL_NOT_FOUND, f"{_shown(code)} cannot be used: {absence}", field=field)
        return found

    def _current(self) -> _Models:
        before = self._models
        stamp = before.catalogue.stamp()
        if stamp in (before.catalogue.read_at, self._broken):
            return before
        try:
            self._models = self._put_together(Catalogue.read(self._settings.data_dir))
        except RestyleError as error:
            self._broken = stamp
            log.error("the catalogue cannot be read; the models stay as they were", reason=error.message)
        return self._models

    def _put_together(self, catalogue: Catalogue) -> _Models:
        mains = {model.code: model for model in self._shipped}
        checkpoints = catalogue.of(Kind.MAIN)
        if checkpoints:
            family = diffusion(self._settings)
            mains |= {entry.code: _main(entry, family) for entry in checkpoints}
        subs = {entry.code: _sub(entry) for entry in catalogue.entries if entry.kind in SUB_KINDS}
        return _Models(
            catalogue,
            mains | {model.code: model for model in self._main},
            subs | {model.code: model for model in self._sub},
        )


SUB_KINDS = {
    Kind.LORA: Feature.LORA,
    Kind.EMBEDDING: Feature.EMBEDDING,
    Kind.HYPERNETWORK: Feature.HYPERNETWORK,
}
NEIGHBOUR_LIBRARIES = ("torch", "h5py")
INSTALL_NEIGHBOUR = "pip install 'restyle[neighbour]'"
DIFFUSION_LIBRARIES = ("torch", "diffusers", "transformers", "peft", "accelerate", "safetensors", "scipy", "torchsde")
INSTALL_DIFFUSION = "pip install 'restyle[diffusion]'"


def diffusion(settings: Settings) -> EngineFamily:
    """The engine of all checkpoints."""
    samplers: tuple[str, ...] = resolve_name("restyle.engines.diffusion.samplers:NAMES")
    return EngineFamily(
        "diffusion", "restyle.engines.diffusion.engine:load", settings.diffusion_price, frozenset(Feature), samplers
    )


def _neighbour(settings: Settings) -> MainModel:
    lacking = [name for name in NEIGHBOUR_LIBRARIES if find_spec(name) is None]
    return MainModel(
        NEIGHBOUR_CODE,
        NEIGHBOUR_CODE,
        EngineFamily(
            "neighbour", "restyle.engines.neighbour.engine:load", settings.neighbour_price, frozenset({Feature.STEPS})
        ),
        is_official=True,
        defaults={"Steps": NEIGHBOUR_STEPS},
        missing=f"it is not installed; whoever runs the server can: {INSTALL_NEIGHBOUR}, then {INSTALL}"
        if lacking
        else "",
        file=weight_file(settings.data_dir),
        mend=f"it is not installed; whoever runs the server can: {INSTALL}",
    )


@cache
def not_installed() -> tuple[str, ...]:
    """The libraries of the extra ``diffusion`` that are not there. Nothing is imported."""
    return tuple(name for name in DIFFUSION_LIBRARIES if find_spec(name) is None)


def _main(entry: Entry, family: EngineFamily) -> MainModel:
    lacking = not_installed()
    missing = f"the server lacks {', '.join(lacking)}; whoever runs it can install it: {INSTALL_DIFFUSION}"
    return MainModel(
        entry.code,
        entry.name,
        family,
        defaults={**InferenceParams().model_dump(exclude={"LoraWeight"}), **entry.defaults},
        architecture=entry.architecture,
        widths=frozenset(entry.facts.get("widths", ())),
        missing=missing if lacking else "",
        file=entry.path,
    )


def _sub(entry: Entry) -> SubModel:
    weight = {} if entry.kind is Kind.EMBEDDING else {"LoraWeight": 1}
    return SubModel(
        entry.code,
        entry.name,
        SUB_KINDS[entry.kind],
        trigger_words=entry.trigger_words,
        defaults={**weight, **entry.defaults},
        architecture=entry.architecture,
        widths=frozenset(entry.facts.get("widths", ())),
        file=entry.path,
    )


def _misfit(sub: SubModel, main: MainModel, takes: frozenset[Feature]) -> str:
    """Why ``sub`` does not fit ``main``; empty where it does."""
    if sub.kind not in takes:
        return f"{sub.code} is of kind {sub.kind}, which {main.code} does not take"
    if sub.architecture and main.architecture and sub.architecture is not main.architecture:
        return f"{sub.code} is made for {sub.architecture.label}, and {main.code} is of {main.architecture.label}"
    if sub.kind is Feature.HYPERNETWORK and sub.widths and not sub.widths & main.widths:
        known, wanted = (", ".join(map(str, sorted(widths))) for widths in (sub.widths, main.widths))
        return f"{sub.code} has networks for the widths {known}; the attention of {main.code} has {wanted}"
    return ""


def _shown(code: str) -> str:
    return f'"{code}"' if len(code) <= 64 else f'"{code[:61]}..."'
