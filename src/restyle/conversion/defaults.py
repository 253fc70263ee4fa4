"""The InferenceParams that an operator gives a model as its own defaults."""

from collections.abc import Mapping
from pkgutil import resolve_name
from typing import Any

from restyle.conversion.plan import check_steps
from restyle.conversion.request import Parameters
from restyle.engines.families import FAMILIES
from restyle.models.kinds import Kind
from restyle.wire.fields import FieldPath, unavailable
from restyle.wire.names import PARAMETERS

WEIGHED = {
    Kind.MAIN: frozenset({"Steps", "Sampler", "ClipSkip", "CFGScale"}),
    Kind.LORA: frozenset({"LoraWeight"}),
    Kind.HYPERNETWORK: frozenset({"LoraWeight"}),
}
"""The InferenceParams that mean something to each kind; to the others none does."""


def checked_recipe(kind: Kind, architecture: str, recipe: Mapping[str, Any]) -> dict[str, Any]:
    """What a checkpoint says of its own recipe, as its engine keeps it. Raises RestyleError (230)."""
    family = next((family for family in FAMILIES if architecture in family.architectures and family.recipe), None)
    if kind is not Kind.MAIN or family is None:
        raise unavailable("recipe", f"it means nothing to a model of kind {kind}")
    checked: dict[str, Any] = resolve_name(family.recipe)(recipe)
    return checked


def checked_defaults(
    kind: Kind, defaults: Mapping[str, Any], recipe: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """``defaults`` as the wire reads them; ``recipe`` is the model's own, which may allow fewer steps.

    Raises RestyleError (230) for what is out of range or means nothing.
    """
    for name in defaults:
        if name not in WEIGHED.get(kind, ()):
            raise unavailable(name, f"it means nothing to a model of kind {kind}")
    own = {wire: name for name, wire in PARAMETERS.items()}
    params = Parameters.read({own[name]: value for name, value in defaults.items()}, named=_wire_name)
    if params.steps is not None:
        check_steps(params.steps, recipe or {}, "Steps")
    found = {PARAMETERS[name]: getattr(params, name) for name in params.given()}
    if params.sampler is not None:
        drawing = [family for family in FAMILIES if family.architectures]
        sampler = next(filter(None, (family.sampler(params.sampler) for family in drawing)), None)
        if sampler is None:
            others = "; ".join(family.other_samplers(params.sampler) for family in drawing)
            raise unavailable("Sampler", f'it is "{params.sampler[:48]}"; {others}')
        found["Sampler"] = sampler
    return found


def _wire_name(parts: FieldPath) -> str:
    return PARAMETERS[str(parts[0])]
