"""The InferenceParams that an operator gives a model as its own defaults."""

from collections.abc import Mapping
from pkgutil import resolve_name
from typing import Any

from restyle.models.kinds import Kind
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError
from restyle.wire.fields import FieldFault
from restyle.wire.schema import InferenceParams

WEIGHED = {
    Kind.MAIN: frozenset({"Steps", "Sampler", "ClipSkip", "CFGScale"}),
    Kind.LORA: frozenset({"LoraWeight"}),
    Kind.HYPERNETWORK: frozenset({"LoraWeight"}),
}
"""The InferenceParams that mean something to each kind; to the others none does."""
SAMPLERS = "restyle.engines.diffusion.samplers:NAMES"


def checked_defaults(kind: Kind, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """``defaults`` as the wire reads them. Raises RestyleError (230) for what is out of range or means nothing."""
    for name in defaults:
        if name not in WEIGHED.get(kind, ()):
            raise _unfit(name, f"it means nothing to a model of kind {kind}")
    try:
        params = InferenceParams.read(defaults)
    except FieldFault as fault:
        raise RestyleError(fault.code, fault.message, field=fault.field) from None
    if "Sampler" in defaults:
        names: tuple[str, ...] = resolve_name(SAMPLERS)
        if params.Sampler not in names:
            raise _unfit("Sampler", f'it is "{params.Sampler[:48]}"; give one of {", ".join(names)}')
    return {name: getattr(params, name) for name in params.given()}


def _unfit(field: str, reason: str) -> RestyleError:
    return RestyleError(Code.PARAMETER_NOT_AVAILABLE, f"{field}: {reason}", field=field)
