"""How programs ask for a conversion: Python's arguments, which the library and the SDK share."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from restyle.conversion.request import Conversion
from restyle.wire.fields import FieldPath, path, shown, unavailable
from restyle.wire.names import PARAMETERS

DEFAULT_MODEL = "Restyle Painter"


class Options(TypedDict, total=False):
    """Everything but the two pictures; what is left out has the service's default.

    ``width`` and ``height`` (64..2560) follow the raw image unless given. ``seed`` is -1 (drawn) or 0..2147483647.
    ``batch_size`` is 1..16. ``model`` and each of ``sub_models`` is a ModelCode, or a Model as the wire has it, with
    ``InferenceParams``. ``resize_mode`` (``JustResize``, ``CropAndResize``, ``ResizeAndFill``), ``preserve_color``
    and ``keep_alpha`` (the result is as opaque as the raw image; otherwise that is laid on white) are understood by
    Restyle only.
    """

    strength: float
    width: int | None
    height: int | None
    seed: int
    batch_size: int
    model: str | Mapping[str, Any]
    sub_models: Sequence[str | Mapping[str, Any]]
    positive_prompts: Sequence[str]
    negative_prompts: Sequence[str]
    translate_prompts: bool
    use_main_model_vae: bool
    resize_mode: str
    preserve_color: bool
    keep_alpha: bool


WIRE = {"parameters": "InferenceParams", **PARAMETERS}


def check_names(options: Options) -> None:
    """Raises TypeError for an option there is not."""
    unknown = options.keys() - Options.__annotations__.keys()
    if unknown:
        raise TypeError(f"unknown option {min(unknown)}; there are: {', '.join(Options.__annotations__)}")


def asked(options: Options) -> Conversion:
    """The conversion that ``options`` ask for.

    Raises RestyleError (220, 230) naming the option at fault, TypeError for one there is not.
    """
    check_names(options)
    values: dict[str, Any] = {"model": DEFAULT_MODEL, **options}
    values["model"] = _choice(values["model"], "model")
    if "sub_models" in values:
        values["sub_models"] = [_choice(one, f"sub_models[{n}]") for n, one in enumerate(values["sub_models"])]
    for name in ("positive_prompts", "negative_prompts"):
        if isinstance(values.get(name), Sequence) and not isinstance(values[name], str):
            values[name] = list(values[name])
    return Conversion.read(values, named=option_name)


def option_name(parts: FieldPath) -> str:
    """The option that a field of a :class:`Conversion` comes from: ``sub_models[0].code`` is ``sub_models[0]``, and
    ``model.parameters.steps`` is ``model.InferenceParams.Steps``, as a Model of the wire has it.
    """
    if parts[-1:] == ("code",):
        return path(parts[:-1])
    return path(tuple(WIRE.get(part, part) if isinstance(part, str) else part for part in parts))


def _choice(model: object, name: str) -> dict[str, Any]:
    if isinstance(model, str):
        return {"code": model}
    if not isinstance(model, Mapping):
        raise unavailable(name, f"it is {shown(model)}; give a ModelCode, or a Model as ListModels has it")
    params = model.get("InferenceParams") or {}
    if not isinstance(params, Mapping):
        raise unavailable(f"{name}.InferenceParams", f"it is {shown(params)}; give an object")
    known = {own: params[wire] for own, wire in PARAMETERS.items() if wire in params}
    return {"parameters": known, **({"code": model["ModelCode"]} if "ModelCode" in model else {})}
