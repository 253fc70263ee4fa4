"""What StyleReferStrength means for a diffusion model: a table as data, by base model, way of the style and control.

Raising the amount of noise alone destroys the raw image without adding style, raising the style alone does little under
little noise: so all move together. The numbers and their sources are ``recipes.toml``; a model's own entry may say
others, in the same form without the sources.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

FILE = Path(__file__).with_name("recipes.toml")
IP_ADAPTER, INJECTION = "ip-adapter", "injection"
ROUTES = (IP_ADAPTER, INJECTION)

COLUMNS: Mapping[str, tuple[float, float]] = {
    "denoise": (0, 1),
    "style": (0, 5),
    "control": (0, 2),
    "control_end": (0, 1),
    "gamma": (0, 1),
    "tone": (0, 1),
    "refine": (0, 1),
    "texture": (0, 1),
    "given_back": (0, 1),
}
"""Quantities that move with the strength -> the least and the most they may be."""


@dataclass(frozen=True, slots=True)
class Strength:
    """The quantities at one strength.

    ``denoise``: part of the noise schedule that is run, 0..1. ``style``: scale of an IP-Adapter in ``blocks``, the
    beginnings of the names of the layers where it is heard, or where style is injected. ``control``: scale of a
    ControlNet, which acts in the first part ``control_end`` of the steps. ``gamma``: share of the raw image's queries
    in injected attention at the first step. ``tone``: how far the start takes over the style image's latent statistics.
    ``refine``: ``denoise`` of the refinements above native size. ``texture``: share of the raw image's fine detail that
    an enlargement keeps. ``given_back``: share of what the VAE alone loses of the raw image that is added to the
    result. ``seed_share``: standard deviation, in the start's noise, of what comes from the seed. ``inversion_steps``:
    least number of steps of an inversion. ``cfg_most``: what the guidance scale is held to. ``timesteps``: those that a
    few-step model was trained at, falling; empty for any.
    """

    denoise: float
    style: float
    control: float
    control_end: float
    gamma: float
    tone: float
    refine: float
    texture: float
    given_back: float
    blocks: tuple[str, ...]
    seed_share: float
    inversion_steps: int
    cfg_most: float
    timesteps: tuple[int, ...]


Table = Mapping[str, Any]


def at(strength: float, base: str, route: str, control: str = "", own: Table | None = None) -> Strength:
    """The quantities at ``strength`` (0..1) for a ``base`` (``sd15``, ``sdxl``) drawn by ``route`` (``ip-adapter``,
    ``injection``) with a ControlNet that is shown ``control``, empty without one; ``own`` is what the model's entry
    says.

    Raises RestyleError (5101) for a control that no table is for.
    """
    table = row(base, route, control, own)
    spacing = table["spacing"]
    meant = float(np.interp(strength, np.linspace(0, 1, len(spacing)), spacing))
    moved = {name: float(np.interp(meant, strengths(), table[name])) for name in COLUMNS}
    return Strength(
        **moved,
        blocks=tuple(table["blocks"]),
        seed_share=float(table["seed_share"]),
        inversion_steps=int(table["inversion_steps"]),
        cfg_most=float(table["cfg_most"]),
        timesteps=tuple(table["timesteps"]),
    )


def row(base: str, route: str, control: str = "", own: Table | None = None) -> dict[str, Any]:
    """All numbers of one way to draw: the more special table wins, and ``own`` over all."""
    tables = _shipped()
    special = tables[base][route]
    if control and control not in special:
        raise RestyleError(Code.ENGINE_FAILED, f'no recipe is for a ControlNet that is shown "{control[:40]}"')
    found = {**tables["common"], **special, **special.get(control, {})}
    if own:
        own = checked(own)  # a catalogue is for people to write in
        mine = own.get(route, {})
        found |= {**own, **mine, **mine.get(control, {})}
    return {name: value for name, value in found.items() if not isinstance(value, Mapping)}


def strengths() -> tuple[float, ...]:
    """The strengths that the columns have a number for."""
    return tuple(_read()["strengths"])


def sources() -> Iterator[tuple[str, str, Any, str]]:
    """Each number of the table: where it stands (``sd15.injection.tile``), its name, its value and its source."""
    for place, table in _flat("", {name: each for name, each in _read().items() if name != "strengths"}):
        for name, told in table.items():
            if "value" in told:
                yield place, name, told["value"], told["source"]


def checked(own: Table) -> dict[str, Any]:
    """What an entry says of its own, in the form of the table without the sources: ``{"injection": {"gamma": [...]}}``.

    Raises RestyleError (230) with the name of what is wrong.
    """
    return _checked("recipe", own, 0)


def _checked(place: str, own: Table, depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in own.items():
        where = f"{place}.{name}"
        known = (ROUTES, _controls(), ())[depth]
        if name in known:
            if not isinstance(value, Mapping):
                raise _wrong(where, "a table")
            found[name] = _checked(where, value, depth + 1)
        elif name in COLUMNS:
            found[name] = _numbers(where, value, *COLUMNS[name], count=len(strengths()))
        elif name == "spacing":
            found[name] = _numbers(where, value, 0, 1)
            if len(value) < 2 or found[name][0] != 0 or found[name][-1] != 1 or sorted(found[name]) != found[name]:
                raise _wrong(where, "numbers that rise from 0 to 1")
        elif name == "timesteps":
            found[name] = [int(each) for each in _numbers(where, value, 0, 999)]
            if sorted(set(found[name]), reverse=True) != list(value):
                raise _wrong(where, "whole numbers from 999 to 0 that fall")
        elif name == "blocks":
            if not isinstance(value, list) or not value or not all(isinstance(each, str) and each for each in value):
                raise _wrong(where, "a list of the beginnings of layers' names")
            found[name] = list(value)
        elif name in SINGLE:
            low, high, whole = SINGLE[name]
            number = type(value) is int or (type(value) is float and not whole)
            if not number or not low <= value <= high:
                raise _wrong(where, f"{'a whole number' if whole else 'a number'} from {low:g} to {high:g}")
            found[name] = value
        else:
            raise _wrong(place, f"one of {', '.join([*known, *OTHERS])}, not {name}")
    return found


SINGLE: Mapping[str, tuple[float, float, bool]] = {
    "seed_share": (0, 1, False),
    "inversion_steps": (1, 100, True),
    "cfg_most": (1, 30, False),
    "steps_least": (1, 100, True),
}
"""Quantities that do not move -> the least and the most they may be, and whether they are whole."""


OTHERS = (*COLUMNS, *SINGLE, "spacing", "timesteps", "blocks")


def _numbers(where: str, value: Any, low: float, high: float, *, count: int | None = None) -> list[float]:
    numbers = isinstance(value, list) and all(type(each) in (int, float) and low <= each <= high for each in value)
    if not numbers or (count is not None and len(value) != count):
        shown = f" for the strengths {', '.join(f'{each:g}' for each in strengths())}" if count is not None else ""
        raise _wrong(where, f"numbers from {low:g} to {high:g}{shown}")
    return [float(each) for each in value]


def _wrong(where: str, what: str) -> RestyleError:
    return RestyleError(Code.PARAMETER_NOT_AVAILABLE, f"{where}: give {what}", field="recipe")


def _controls() -> tuple[str, ...]:
    table = _shipped()["sd15"][IP_ADAPTER]
    return tuple(name for name, each in table.items() if isinstance(each, Mapping))


@cache
def _read() -> dict[str, Any]:
    return tomllib.loads(FILE.read_text(encoding="utf-8"))


@cache
def _shipped() -> dict[str, Any]:
    """The table without its sources."""

    def values(table: Table) -> dict[str, Any]:
        return {name: each["value"] if "value" in each else values(each) for name, each in table.items()}

    return values({name: each for name, each in _read().items() if name != "strengths"})


def _flat(place: str, table: Table) -> Iterator[tuple[str, Table]]:
    if place:
        yield place, table
    for name, each in table.items():
        if "value" not in each:
            yield from _flat(f"{place}.{name}" if place else name, each)
