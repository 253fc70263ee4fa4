"""How programs ask for a conversion: Python's arguments, which the library and the SDK share."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict, cast

from restyle.conversion.request import Conversion
from restyle.wire.fields import FieldPath, Named, path, shown, unavailable
from restyle.wire.names import PARAMETERS

DEFAULT_MODEL = "Restyle Painter"


class Options(TypedDict, total=False):
    """Everything but the two pictures; what is left out has the service's default.

    ``width`` and ``height`` (64..2560) follow the raw image unless given. ``seed`` is -1 (drawn) or 0..2147483647.
    ``batch_size`` is 1..16. ``model`` and each of ``sub_models`` is a ModelCode, or a Model as the wire has it, with
    ``InferenceParams``. ``steps`` (6..100), ``sampler`` (a name of the Stable Diffusion WebUI), ``clip_skip`` (1..12)
    and ``cfg_scale`` (1..30) are those of the main model, None being its own default; ``lora`` names LoRAs and
    hypernetworks with weights (-1..2), before those of ``sub_models``. ``resize_mode``,
    ``preserve_color`` and ``keep_alpha`` (the result is as opaque as the raw image; otherwise that is laid on white)
    are understood by Restyle only.
    """

    strength: float
    width: int | None
    height: int | None
    seed: int
    batch_size: int
    model: str | Mapping[str, Any]
    steps: int | None
    sampler: str | None
    clip_skip: int | None
    cfg_scale: float | None
    lora: Sequence[tuple[str, float]]
    sub_models: Sequence[str | Mapping[str, Any]]
    positive_prompts: Sequence[str]
    negative_prompts: Sequence[str]
    translate_prompts: bool
    use_main_model_vae: bool
    resize_mode: Literal["JustResize", "CropAndResize", "ResizeAndFill"]
    preserve_color: bool
    keep_alpha: bool


WIRE = {"parameters": "InferenceParams", **PARAMETERS}
OF_THE_MODEL = ("steps", "sampler", "clip_skip", "cfg_scale")
"""Options that are parameters of the main model."""


def check_names(options: Options) -> None:
    """Raises TypeError for an option there is not."""
    unknown = options.keys() - Options.__annotations__.keys()
    if unknown:
        raise TypeError(f"unknown option {min(unknown)}; there are: {', '.join(Options.__annotations__)}")


def models_of(options: Options) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The main model and the sub-models that ``options`` name, as Models of the wire.

    Raises RestyleError (230) naming the option at fault.
    """
    main = _model(options.get("model", DEFAULT_MODEL), "model")
    given = {PARAMETERS[name]: options[name] for name in OF_THE_MODEL if options.get(name) is not None}  # type: ignore[literal-required]
    if given:
        main["InferenceParams"] = {**_params(main, "model"), **given}
    subs = []
    for number, pair in enumerate(options.get("lora", ())):
        if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2:
            raise unavailable(f"lora[{number}]", f"it is {shown(pair)}; give a pair such as ('Ink', 0.8)")
        subs.append({"ModelCode": pair[0], "InferenceParams": {"LoraWeight": pair[1]}})
    subs += [_model(one, f"sub_models[{n}]") for n, one in enumerate(options.get("sub_models", ()))]
    return main, subs


def asked(options: Options) -> Conversion:
    """The conversion that ``options`` ask for.

    Raises RestyleError (220, 230) naming the option at fault, TypeError for one there is not.
    """
    check_names(options)
    main, subs = models_of(options)
    named = {*OF_THE_MODEL, "lora", "model", "sub_models"}
    values: dict[str, Any] = {name: value for name, value in options.items() if name not in named}
    values["model"] = _choice(main, "model")
    values["sub_models"] = [_choice(one, _sub_name(number, options)) for number, one in enumerate(subs)]
    for name in ("positive_prompts", "negative_prompts"):
        if isinstance(values.get(name), Sequence) and not isinstance(values[name], str):
            values[name] = list(values[name])
    return Conversion.read(values, named=naming(options))


def naming(options: Options) -> Named:
    """How fields of a :class:`Conversion` that ``options`` ask for are called: as :func:`option_name` says, but
    parameters and sub-models by the options they were given with.
    """

    def name(parts: FieldPath) -> str:
        if parts[:2] == ("model", "parameters") and len(parts) == 3 and options.get(str(parts[2])) is not None:
            return str(parts[2])
        if parts[:1] == ("sub_models",) and len(parts) > 1:
            return option_name((_sub_name(int(parts[1]), options), *parts[2:]))
        return option_name(parts)

    return name


def _sub_name(number: int, options: Options) -> str:
    loras = len(options.get("lora", ()))
    return f"lora[{number}]" if number < loras else f"sub_models[{number - loras}]"


def option_name(parts: FieldPath) -> str:
    """The option that a field of a :class:`Conversion` comes from: ``sub_models[0].code`` is ``sub_models[0]``, and
    ``model.parameters.steps`` is ``model.InferenceParams.Steps``, as a Model of the wire has it.
    """
    if parts[-1:] == ("code",):
        return path(parts[:-1])
    return path(tuple(WIRE.get(part, part) if isinstance(part, str) else part for part in parts))


def _model(model: object, name: str) -> dict[str, Any]:
    """A Model of the wire, whatever stands for it."""
    if isinstance(model, str):
        return {"ModelCode": model}
    if not isinstance(model, Mapping):
        raise unavailable(name, f"it is {shown(model)}; give a ModelCode, or a Model as ListModels has it")
    return dict(model)


def _params(model: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    params = model.get("InferenceParams") or {}
    if not isinstance(params, Mapping):
        raise unavailable(f"{name}.InferenceParams", f"it is {shown(params)}; give an object")
    return cast(Mapping[str, Any], params)


def _choice(model: Mapping[str, Any], name: str) -> dict[str, Any]:
    params = _params(model, name)
    known = {own: params[wire] for own, wire in PARAMETERS.items() if wire in params}
    return {"parameters": known, **({"code": model["ModelCode"]} if "ModelCode" in model else {})}
