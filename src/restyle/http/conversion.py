"""The wire's door: from ``ApplyReferenceStyle`` to a :class:`restyle.conversion.request.Conversion`, and names back."""

from typing import Any

from restyle.conversion.request import CHECKED, Conversion
from restyle.conversion.style import StyleSettings
from restyle.wire import schema
from restyle.wire.fields import FieldPath, path
from restyle.wire.names import DEFAULT_MODEL, FIELDS, MODEL, PARAMETERS, PICTURES

NAMES = {**FIELDS, **PICTURES, **MODEL, **PARAMETERS}
ALWAYS = frozenset({"Width", "Height"})
"""Fields whose default on the wire is not that of a conversion."""


def asked(request: schema.ApplyReferenceStyle, style: StyleSettings | None = None) -> Conversion:
    """The conversion that the request asks for; what it leaves open is as the kept ``style`` has it."""
    values = {"model": {"code": DEFAULT_MODEL}, **(style or StyleSettings()).beneath(_given(request, ALWAYS))}
    return Conversion.read(values, CHECKED, wire_name)


def to_keep(request: schema.SaveStyle) -> StyleSettings:
    """What a style keeps of the request."""
    return StyleSettings.read(_given(request), CHECKED, wire_name)


def _given(request: schema.Request, always: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The fields of a conversion that the request gives, and those that count ``always``."""
    there = request.model_fields_set | always
    values: dict[str, Any] = {own: getattr(request, wire) for own, wire in FIELDS.items() if wire in there}
    if "model" in values:
        values["model"] = _choice(values["model"])
    if "sub_models" in values:
        values["sub_models"] = [_choice(model) for model in values["sub_models"]]
    return values


def wire_name(parts: FieldPath) -> str:
    """The request's path to a field of a conversion: ``MainModel.InferenceParams.Steps``."""
    return path(tuple(NAMES[part] if isinstance(part, str) else part for part in parts))


def _choice(model: schema.Model) -> dict[str, Any]:
    given = model.InferenceParams.given()
    parameters = {own: getattr(model.InferenceParams, wire) for own, wire in PARAMETERS.items() if wire in given}
    return {"code": model.ModelCode, "parameters": parameters}
