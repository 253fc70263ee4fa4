"""What to convert, and how: from Python's arguments to the fields of ``ApplyReferenceStyle``."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from restyle.images.decode import check_header
from restyle.images.limits import Limits
from restyle.images.size import result_size
from restyle.images.source import Source, to_file

DEFAULT_MODEL = "Restyle Painter"
ANY = Limits(max_bytes=1 << 31, max_pixels=178_000_000)
"""What the service takes is the service's to say; here only a size is read from a header."""


class Options(TypedDict, total=False):
    """Everything but the two pictures; what is left out has the service's default.

    ``width`` and ``height`` (64..2560) follow the raw image unless given. ``seed`` is -1 (drawn) or 0..2147483647.
    ``batch_size`` is 1..16. ``model`` and each of ``sub_models`` is a ModelCode, or a Model as the wire has it, with
    ``InferenceParams``. ``resize_mode`` (``JustResize``, ``CropAndResize``, ``ResizeAndFill``) and ``preserve_color``
    are understood by Restyle only.
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


NAMES = {
    "strength": "StyleReferStrength",
    "seed": "Seed",
    "batch_size": "BatchSize",
    "positive_prompts": "PositivePrompts",
    "negative_prompts": "NegativePrompts",
    "translate_prompts": "TranslatePrompts",
    "use_main_model_vae": "UseMainModelVAE",
    "resize_mode": "ResizeMode",
    "preserve_color": "PreserveColor",
}
"""Option -> field, where the value goes as it is."""


def fields(raw: Source, style: Source, options: Options) -> dict[str, Any]:
    """The fields of the request. Raises RestyleError (4003, 230) for pictures that cannot be read or sized."""
    found = chosen(options)
    raw_file = to_file(raw, field="raw")
    style_file = to_file(style, field="style")
    width, height = options.get("width"), options.get("height")
    if width is None or height is None:
        info = check_header(raw_file, ANY, field="raw")
        width, height = result_size((info.width, info.height), width, height)
    pictures = [b64encode(file).decode("ascii") for file in (raw_file, style_file)]
    return found | {"Width": width, "Height": height, "ImageList": pictures}


def chosen(options: Options) -> dict[str, Any]:
    """The fields that ``options`` give, without sizes and pictures: the raw image is the first, the style the second.

    Raises TypeError for an option there is not.
    """
    unknown = options.keys() - Options.__annotations__.keys()
    if unknown:
        raise TypeError(f"unknown option {min(unknown)}; there are: {', '.join(Options.__annotations__)}")
    found: dict[str, Any] = {
        "MainModel": _model(options.get("model", DEFAULT_MODEL)),
        "RawImageIndex": 0,
        "StyleImageIndex": 1,
    }
    if "sub_models" in options:
        found["SubModelList"] = [_model(model) for model in options["sub_models"]]
    for option, field in NAMES.items():
        if option in options:
            value = options[option]  # type: ignore[literal-required]
            found[field] = list(value) if field.endswith("Prompts") and not isinstance(value, bool | str) else value
    return found


def _model(model: str | Mapping[str, Any]) -> dict[str, Any]:
    return {"ModelCode": model} if isinstance(model, str) else dict(model)
