"""What a conversion may name: main models and sub-models, and what fits what."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from math import ceil
from pathlib import Path
from typing import Any

from restyle.engines.base import Family, Feature
from restyle.models.catalogue import Entry
from restyle.models.kinds import Kind
from restyle.wire.ranges import CFG_SCALE, CLIP_SKIP, SAMPLER, STEPS, WEIGHT

MEGAPIXEL = 1_000_000
SUB_KINDS = {
    Kind.LORA: Feature.LORA,
    Kind.EMBEDDING: Feature.EMBEDDING,
    Kind.HYPERNETWORK: Feature.HYPERNETWORK,
}
WEIGHTED = frozenset({Feature.LORA, Feature.HYPERNETWORK})
"""Kinds of sub-model that have a weight; the page knows no other weight for a hypernetwork than LoraWeight."""
CHECKPOINT_DEFAULTS: Mapping[str, Any] = {
    "Steps": STEPS.default,
    "Sampler": SAMPLER,
    "ClipSkip": CLIP_SKIP.default,
    "CFGScale": CFG_SCALE.default,
}
"""InferenceParams of a checkpoint that says nothing of its own."""


@dataclass(frozen=True, slots=True)
class MainModel:
    """What a conversion may name as its model.

    ``price`` is what an operator asks instead of the family's. ``defaults`` are the InferenceParams it uses, by their
    names on the wire, with its own defaults. ``entry`` is the registered checkpoint it draws with, None for a model
    that comes with its engine; ``weights`` is where that engine's own weight file belongs. ``missing`` says why it
    cannot draw, where something that it needs is not installed.
    """

    code: str
    name: str
    family: Family
    price: float | None = None
    is_official: bool = False
    defaults: Mapping[str, Any] = field(default_factory=dict)
    entry: Entry | None = None
    weights: Path | None = None
    missing: str = ""

    def absence(self) -> str:
        """Why it cannot draw now, in words for clients; empty where it can."""
        if self.missing:
            return self.missing
        if self.weights is not None and not self.weights.exists():
            return not_installed(self.family, lacks_libraries=False)
        return _gone(self.entry)

    @property
    def takes(self) -> frozenset[Feature]:
        """The kinds of sub-model that may be added to it."""
        return self.family.honours & frozenset(SUB_KINDS.values())

    def points(self, width: int, height: int, count: int, steps: int) -> int:
        """Credits of ``count`` images of ``width`` x ``height`` pixels, each rounded up; 0.1 x 3 megapixels is 0.3."""
        base = self.family.price if self.price is None else self.price
        price = Fraction(repr(base)) * (steps if Feature.STEPS in self.family.honours else 1)
        return ceil(Fraction(width * height, MEGAPIXEL) * price) * count


@dataclass(frozen=True, slots=True)
class SubModel:
    """What a conversion may add to a main model: a LoRA, an embedding or a hypernetwork, registered as ``entry``.

    It fits main models of its architecture (None: of all); a hypernetwork must also know one of their widths.
    """

    entry: Entry
    is_official: bool = False

    @property
    def code(self) -> str:
        return self.entry.code

    @property
    def name(self) -> str:
        return self.entry.name

    @property
    def kind(self) -> Feature:
        return SUB_KINDS[self.entry.kind]

    @property
    def trigger_words(self) -> tuple[str, ...]:
        return self.entry.trigger_words

    @property
    def defaults(self) -> Mapping[str, Any]:
        """The InferenceParams it uses, by their names on the wire, with its own defaults."""
        return {**({"LoraWeight": WEIGHT.default} if self.kind in WEIGHTED else {}), **self.entry.defaults}

    def absence(self) -> str:
        """Why it cannot be used now; empty where it can."""
        return _gone(self.entry)


@cache
def _is_there(library: str) -> bool:
    return find_spec(library) is not None


def missing_libraries(family: Family) -> tuple[str, ...]:
    """What ``family`` imports and is not installed. Nothing is imported."""
    return tuple(name for name in family.libraries if not _is_there(name))


def lost(family: Family) -> str:
    """What is to be said where a file that came with this release is gone; empty where it is there."""
    if family.shipped is None or files("restyle").joinpath(family.shipped.path).is_file():
        return ""
    return f"restyle/{family.shipped.path} is gone; whoever runs the server can install this release again"


def not_installed(family: Family, *, lacks_libraries: bool) -> str:
    """The sentence that says how ``family`` is installed."""
    commands = [family.install] if lacks_libraries else []
    if family.weights is not None:
        commands.append(f"restyle models install {family.name}")
    return f"it is not installed; whoever runs the server can: {', then '.join(commands)}"


def _gone(entry: Entry | None) -> str:
    if entry is None or entry.path.exists():
        return ""
    return "its file is gone from the server; whoever runs it can restore it"


def misfit(sub: SubModel, main: MainModel) -> str:
    """Why ``sub`` does not fit ``main``; empty where it does."""
    if sub.kind not in main.takes:
        return f"{sub.code} is of kind {sub.kind}, which {main.code} does not take"
    if main.entry is None:
        return ""
    made_for, base = sub.entry.architecture, main.entry.architecture
    if made_for and base and made_for is not base:
        return f"{sub.code} is made for {made_for.label}, and {main.code} is of {base.label}"
    have, need = (frozenset(entry.facts.get("widths", ())) for entry in (sub.entry, main.entry))
    if sub.kind is Feature.HYPERNETWORK and have and not have & need:
        known, wanted = (", ".join(map(str, sorted(widths))) for widths in (have, need))
        return f"{sub.code} has networks for the widths {known}; the attention of {main.code} has {wanted}"
    return ""


def shown(code: str) -> str:
    """A code as a message repeats it."""
    return f'"{code}"' if len(code) <= 64 else f'"{code[:61]}..."'
