"""Which models there are, which engine draws each, and what that engine understands."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil
from typing import Any

from restyle.engines.base import Feature
from restyle.errors import RestyleError
from restyle.settings import Settings
from restyle.wire.codes import Code

PAINTER_CODE = "Restyle Painter"
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
    """What a request may name as ``MainModel``. ``defaults`` are the InferenceParams it uses, with its own defaults."""

    code: str
    name: str
    family: EngineFamily
    is_official: bool = False
    defaults: Mapping[str, Any] = field(default_factory=dict)

    def points(self, width: int, height: int, count: int, steps: int) -> int:
        """Credits of ``count`` images of ``width`` x ``height`` pixels, each rounded up; 0.1 x 3 megapixels is 0.3."""
        price = Fraction(repr(self.family.price)) * (steps if Feature.STEPS in self.family.honours else 1)
        return ceil(Fraction(width * height, MEGAPIXEL) * price) * count


@dataclass(frozen=True, slots=True)
class SubModel:
    """What a request may add to a main model: a LoRA, an embedding or a hypernetwork (``kind``)."""

    code: str
    name: str
    kind: Feature
    is_official: bool = False
    trigger_words: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)


class Registry:
    """The models of one service. ``main`` and ``sub`` are those an operator adds; they win over those shipped."""

    def __init__(self, settings: Settings, *, main: Iterable[MainModel] = (), sub: Iterable[SubModel] = ()) -> None:
        painter = EngineFamily("painter", "restyle.engines.painter.engine:load", settings.painter_price)
        shipped = (
            MainModel(PAINTER_CODE, PAINTER_CODE, painter, is_official=True),
            MainModel(EXAMPLE_CODE, f"{PAINTER_CODE} (answers to {EXAMPLE_CODE})", painter, is_official=True),
        )
        self.mains: Mapping[str, MainModel] = {model.code: model for model in (*shipped, *main)}
        self.subs: Mapping[str, SubModel] = {model.code: model for model in sub}

    def main(self, code: str) -> MainModel:
        """The main model of that code. Raises RestyleError 4004."""
        if code not in self.mains:
            raise RestyleError(
                Code.MODEL_NOT_FOUND,
                f"no main model has the ModelCode {_shown(code)}; ListModels names those there are",
                field="MainModel.ModelCode",
            )
        return self.mains[code]

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
        if found.kind not in takes:
            raise RestyleError(
                Code.SUB_MODEL_UNFIT,
                f"{found.code} is of kind {found.kind}, which {main.code} does not take",
                field=field,
            )
        return found


def _shown(code: str) -> str:
    return f'"{code}"' if len(code) <= 64 else f'"{code[:61]}..."'
