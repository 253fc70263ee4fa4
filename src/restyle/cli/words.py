"""Errors in the command's words: options instead of the library's arguments or the wire's fields."""

from restyle.wire.errors import RestyleError
from restyle.wire.names import FIELDS, PARAMETERS

FLAGS = {
    "positive_prompts": "--prompt",
    "negative_prompts": "--negative",
    "translate_prompts": "--translate",
    "use_main_model_vae": "--main-model-vae",
    "batch_size": "--batch",
    "sub_models": "--sub-model",
}
"""Option of the library -> that of the command, where it is not called alike."""


def in_options(error: RestyleError, *, raw: str, style: str) -> str:
    """The message of ``error``, its field called as the user gave it; files that are not named in it come first."""
    message, field = error.message, error.field
    if field is None:
        return message if raw in message else f"{raw}: {message}"
    given = _given(field, raw, style)
    if given is None or not message.startswith(field):
        return message if raw in message else f"{raw}: {message}"
    rest = message.removeprefix(field)
    if given in (raw, style):
        return given + rest.replace(f" {given}", "", 1)
    return f"{raw}: {given}{rest}"


def _given(field: str, raw: str, style: str) -> str | None:
    own = {wire: name for name, wire in (*FIELDS.items(), *PARAMETERS.items())}
    name = field.removeprefix("MainModel.InferenceParams.").removeprefix("model.InferenceParams.")
    if field.endswith("MainModel.ModelCode"):
        return "--model"
    name = own.get(name, name)
    if name in ("raw", "ImageList[0]"):
        return raw
    if name in ("style", "ImageList[1]"):
        return style
    stem, _, index = name.partition("[")
    if own.get(stem, stem) in ("sub_models", "lora"):
        return "--sub-model"
    if index or "." in name:
        stem = own.get(stem, stem)
    if stem in {*FIELDS, *PARAMETERS}:
        return FLAGS.get(stem, f"--{stem.replace('_', '-')}")
    return None
