"""How programs ask for a conversion: Python's arguments, which the library and the SDK share."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypedDict, TypeVar, cast

from restyle.conversion.request import Conversion
from restyle.conversion.style import OF_THE_MODEL as STYLES_MODEL
from restyle.conversion.style import StyleSettings, as_choice, as_model
from restyle.images.source import Source
from restyle.wire.fields import FieldPath, Named, path, shown, unavailable
from restyle.wire.names import DEFAULT_MODEL, PARAMETERS, PICTURES

Function = TypeVar("Function", bound=Callable[..., Any])

Sampler = Literal[
    "Euler",
    "Euler a",
    "LMS",
    "LMS Karras",
    "Heun",
    "DPM2",
    "DPM2 Karras",
    "DPM2 a",
    "DPM2 a Karras",
    "DPM++ 2S a",
    "DPM++ 2S a Karras",
    "DPM++ 2S",
    "DPM++ 2S Karras",
    "DPM++ 2M",
    "DPM++ 2M Karras",
    "DPM++ 2M Exponential",
    "DPM++ 2M Beta",
    "DPM++ SDE",
    "DPM++ SDE Karras",
    "DPM++ 2M SDE",
    "DPM++ 2M SDE Karras",
    "DPM++ 2M SDE Exponential",
    "DPM++ 2M SDE Heun",
    "DPM++ 2M SDE Heun Karras",
    "DPM++ 3M SDE",
    "DPM++ 3M SDE Karras",
    "DPM++ 3M SDE Exponential",
    "DDIM",
    "DDPM",
    "PLMS",
    "UniPC",
    "DEIS",
    "SA-Solver",
    "Euler trailing",
    "LCM",
    "TCD",
]
"""The samplers of all engines, by their names in the Stable Diffusion WebUI."""


class Options(TypedDict, total=False):
    """Everything but the two pictures. What is left out is the kept style's, and else has the service's default.

    strength: 0 (the raw image) .. 1 (the style at its fullest), 0.5 unless given.
    width, height: 64..2560, pixels of the result; they follow the raw image unless given, scaled down above 2560.
    seed: 0..2147483647, image *i* of a batch using ``seed + i``; -1 (unless given) draws one.
    batch_size: 1..16 images, 1 unless given.
    model: the main model, by its ModelCode or as a Model of ``ListModels``; the brush unless given.
    steps: 6..100; None is the model's own.
    sampler: by its name in the Stable Diffusion WebUI; None is the model's own.
    clip_skip: 1..12; None is the model's own.
    cfg_scale: 1..30; None is the model's own.
    lora: pairs of ModelCode and weight, -1..2: ``[("Ink", 0.8)]``. Hypernetworks may stand there, too.
    sub_models: further LoRAs, embeddings and hypernetworks, each a ModelCode or a Model of ``ListModels``.
    positive_prompts, negative_prompts: what should appear, and what should not.
    translate_prompts: translate them into English, True unless given.
    use_main_model_vae: use the VAE that came with the main model.
    resize_mode: how a raw image of another shape meets the size, ``CropAndResize`` unless given; Restyle's own.
    preserve_color: keep the raw image's colours, take texture and stroke alone; Restyle's own.
    keep_alpha: the result is as opaque as the raw image, which is laid on white otherwise; Restyle's own.
    control_type: what a ControlNet is shown of the raw image; otherwise it is chosen; Restyle's own.
    control_image: a picture that shows it, as depth or a pose, for what is not found in the raw image; Restyle's own.
    mask: a picture that is white where to redraw, black where the raw image stays; Restyle's own.
    """

    strength: float
    width: int | None
    height: int | None
    seed: int
    batch_size: int
    model: str | Mapping[str, Any]
    steps: int | None
    sampler: Sampler | None
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
    control_type: Literal["canny", "tile", "depth", "lineart", "softedge", "openpose"] | None
    control_image: Source | None
    mask: Source | None


WIRE = {"parameters": "InferenceParams", **PARAMETERS}
OF_THE_MODEL = ("steps", "sampler", "clip_skip", "cfg_scale")
"""Options that are parameters of the main model."""


def spelt_out(function: Function) -> Function:
    """``function`` of ``**options``, with the options one by one in its signature, for ``help`` and for editors."""
    fields = Conversion.model_fields
    defaults: dict[str, Any] = {"model": DEFAULT_MODEL, **dict.fromkeys(OF_THE_MODEL), "lora": (), "sub_models": ()}
    defaults |= dict.fromkeys(PICTURES)
    options = []
    for name, kind in Options.__annotations__.items():
        default = defaults[name] if name in defaults else fields[name].default
        default = () if default == [] else default
        options.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind))
    signature = inspect.signature(function)
    own = [each for each in signature.parameters.values() if each.kind is not inspect.Parameter.VAR_KEYWORD]
    function.__signature__ = signature.replace(parameters=[*own, *options])  # type: ignore[attr-defined]
    return function


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
    for number, pair in enumerate(options.get("lora") or ()):
        if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2:
            raise unavailable(f"lora[{number}]", f"it is {shown(pair)}; give a pair such as ('Ink', 0.8)")
        subs.append({"ModelCode": pair[0], "InferenceParams": {"LoraWeight": pair[1]}})
    subs += [_model(one, f"sub_models[{n}]") for n, one in enumerate(options.get("sub_models") or ())]
    return main, subs


def over(options: Options, style: StyleSettings) -> Options:
    """``options``, and what they leave out as a kept style has it (:mod:`restyle.conversion.style`).

    ``steps`` and the like alone change how the style's own model is run.
    """
    own = style.kept()
    if "model" in options:
        own = {name: value for name, value in own.items() if name not in STYLES_MODEL}
    if "lora" in options:
        own.pop("sub_models", None)
    if "model" in own:
        own["model"] = as_model(own["model"])
    if "sub_models" in own:
        own["sub_models"] = [as_model(one) for one in own["sub_models"]]
    return cast(Options, {**own, **options})


def to_keep(options: Options) -> StyleSettings:
    """What a style keeps of ``options``: what is given, and nothing else.

    Raises RestyleError (220, 230) naming the option at fault, or one that no style keeps; TypeError for one there is
    not.
    """
    check_names(options)
    values: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    main, subs = models_of(options)
    of_model = {"model", *OF_THE_MODEL} & values.keys()
    of_subs = {"lora", "sub_models"} & values.keys()
    values = {name: value for name, value in values.items() if name not in of_model | of_subs}
    for name in values:
        if name not in StyleSettings.model_fields:
            raise unavailable(name, "it is a photograph's or a moment's, and not kept with a style; leave it out")
    if of_model:
        values["model"] = _choice(main, "model")
    if of_subs:
        values["sub_models"] = [_choice(one, _sub_name(number, options)) for number, one in enumerate(subs)]
    return StyleSettings.read(_with_lists(values), named=naming(options))


def asked(options: Options) -> Conversion:
    """The conversion that ``options`` ask for.

    Raises RestyleError (220, 230) naming the option at fault, TypeError for one there is not.
    """
    check_names(options)
    main, subs = models_of(options)
    named = {*OF_THE_MODEL, *PICTURES, "lora", "model", "sub_models"}
    values: dict[str, Any] = {name: value for name, value in options.items() if name not in named}
    values["model"] = _choice(main, "model")
    values["sub_models"] = [_choice(one, _sub_name(number, options)) for number, one in enumerate(subs)]
    return Conversion.read(_with_lists(values), named=naming(options))


def pictures_of(options: Options) -> dict[str, Source]:
    """The pictures that ``options`` give beside the raw image and the style, by their options."""
    return {name: options[name] for name in PICTURES if options.get(name) is not None}  # type: ignore[literal-required]


def _with_lists(values: dict[str, Any]) -> dict[str, Any]:
    for name in ("positive_prompts", "negative_prompts"):
        if isinstance(values.get(name), Sequence) and not isinstance(values[name], str):
            values[name] = list(values[name])
    return values


def naming(options: Options) -> Named:
    """How fields of a :class:`Conversion` that ``options`` ask for are called: as :func:`option_name` says, but
    parameters and sub-models by the options they were given with.
    """

    def name(parts: FieldPath) -> str:
        if parts[:2] == ("model", "parameters") and len(parts) == 3 and options.get(str(parts[2])) is not None:
            return str(parts[2])
        if parts[:1] == ("sub_models",) and len(parts) > 1:
            sub = _sub_name(int(parts[1]), options)
            return sub if sub.startswith("lora") else option_name((sub, *parts[2:]))
        return option_name(parts)

    return name


def _sub_name(number: int, options: Options) -> str:
    loras = len(options.get("lora") or ())
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
    return as_choice({**model, "InferenceParams": _params(model, name)})
