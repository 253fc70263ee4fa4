"""The InferenceParams that an operator gives a model as its own defaults."""

from collections.abc import Mapping
from typing import Any

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


def checked_defaults(kind: Kind, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """``defaults`` as the wire reads them. Raises RestyleError (230) for what is out of range or means nothing."""
    for name in defaults:
        if name not in WEIGHED.get(kind, ()):
            raise unavailable(name, f"it means nothing to a model of kind {kind}")
    own = {wire: name for name, wire in PARAMETERS.items()}
    params = Parameters.read({own[name]: value for name, value in defaults.items()}, named=_wire_name)
    known = [name for family in FAMILIES if family.architectures for name in family.samplers]
    if params.sampler is not None and params.sampler not in known:
        raise unavailable("Sampler", f'it is "{params.sampler[:48]}"; give one of {", ".join(known)}')
    return {PARAMETERS[name]: getattr(params, name) for name in params.given()}


def _wire_name(parts: FieldPath) -> str:
    return PARAMETERS[str(parts[0])]
