"""The wire's door: from ``ApplyReferenceStyle`` to a :class:`restyle.conversion.request.Conversion`, and names back."""

from typing import Any

from restyle.conversion.request import CHECKED, Conversion
from restyle.wire import schema
from restyle.wire.fields import FieldPath, path
from restyle.wire.names import FIELDS, MODEL, PARAMETERS

NAMES = {**FIELDS, **MODEL, **PARAMETERS}


def asked(request: schema.ApplyReferenceStyle) -> Conversion:
    """The conversion that the request asks for."""
    values: dict[str, Any] = {own: getattr(request, wire) for own, wire in FIELDS.items()}
    values["model"] = _choice(request.MainModel)
    values["sub_models"] = [_choice(model) for model in request.SubModelList]
    return Conversion.read(values, CHECKED, wire_name)


def wire_name(parts: FieldPath) -> str:
    """The request's path to a field of a conversion: ``MainModel.InferenceParams.Steps``."""
    return path(tuple(NAMES[part] if isinstance(part, str) else part for part in parts))


def _choice(model: schema.Model) -> dict[str, Any]:
    given = model.InferenceParams.given()
    parameters = {own: getattr(model.InferenceParams, wire) for own, wire in PARAMETERS.items() if wire in given}
    return {"code": model.ModelCode, "parameters": parameters}
