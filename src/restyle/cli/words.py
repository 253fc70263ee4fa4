"""Errors in the command's words: options instead of the library's arguments or the wire's fields."""

import re

from restyle.wire.errors import RestyleError
from restyle.wire.names import FIELDS, PARAMETERS

FLAGS = {
    "positive_prompts": "--prompt",
    "negative_prompts": "--negative",
    "translate_prompts": "--translate",
    "use_main_model_vae": "--main-model-vae",
    "batch_size": "--batch",
    "sub_models": "--sub-model",
    "lora": "--sub-model",
}
"""Option of the library -> that of the command, where it is not called alike."""
OWN = {wire: name for name, wire in (*FIELDS.items(), *PARAMETERS.items())}
WORDS = {"ListModels": "restyle models list"} | {
    wire: FLAGS.get(name, f"--{name.replace('_', '-')}") for wire, name in OWN.items() if wire != "MainModel"
}
"""Words of the wire that say nothing to who uses the command."""
WIRE = re.compile(rf"(?<![\w.\"])({'|'.join(WORDS)})(?![\w\"])")


def in_options(error: RestyleError, *, raw: str, style: str) -> str:
    """The message of ``error`` about one pair of pictures, its field called as the user gave it."""
    message, field = error.message, error.field or ""
    pictures = {"raw": raw, "ImageList[0]": raw, "style": style, "ImageList[1]": style}
    if field in pictures and message.startswith(f"{field} "):
        rest = message.removeprefix(f"{field} ").removeprefix(f"{pictures[field]} ")
        return f"{pictures[field]} {rest}" if pictures[field] == raw else f"{raw}: {style} {rest}"
    if field:
        message = re.sub(rf"(?<![\w-])(parameter )?{re.escape(field)}(?![\w\[.])", _flag(field), message)
    message = WIRE.sub(lambda found: WORDS[found[1]], message)
    return message if raw in message else f"{raw}: {message}"


def _flag(field: str) -> str:
    last = field.rpartition(".")[2]
    stem = field.partition("[")[0]
    if OWN.get(stem, stem) in ("sub_models", "lora"):
        return "--sub-model"
    name = OWN.get(last.partition("[")[0], last.partition("[")[0])
    if name not in {*FIELDS, *PARAMETERS}:
        return field
    return FLAGS.get(name, f"--{name.replace('_', '-')}")
