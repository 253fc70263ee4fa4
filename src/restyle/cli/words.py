"""What the library and services say, in the command's words: options instead of arguments or fields of the wire."""

import re

from restyle.wire.errors import RestyleError
from restyle.wire.names import FIELDS, PARAMETERS, PICTURES

FLAGS = {
    "positive_prompts": "--prompt",
    "negative_prompts": "--negative",
    "translate_prompts": "--translate",
    "use_main_model_vae": "--main-model-vae",
    "batch_size": "--batch",
    "sub_models": "--sub-model",
    "lora": "--sub-model",
    "url": "--url",
    "format": "--format",
}
"""Argument of the library -> option of the command, where it is not called alike or stands for no field."""
OWN = {wire: name for name, wire in (*FIELDS.items(), *PARAMETERS.items(), *PICTURES.items())}
NAMES = {*FIELDS, *PARAMETERS, *PICTURES, *FLAGS}
WORDS = {
    "ListModels": "`restyle models list`",
    "ListRunningTasks": "`restyle tasks list`",
    "ListTasksDetails": "`restyle tasks show`",
    "TerminateTask": "`restyle tasks cancel`",
    "ApplyReferenceStyle": "a conversion",
    "TaskUIDList": "TaskUID",
    "request_uuid": "the mark of the request",
    "ListStyles": "`restyle styles list`",
    "SaveStyle": "`restyle styles add`",
    "DeleteStyle": "`restyle styles remove`",
    "StyleCode": "--style",
    "StyleImage": "the picture",
}
"""Words of the wire and of the library that say nothing to who uses the command."""
WORDS |= {wire: FLAGS.get(name, f"--{name.replace('_', '-')}") for wire, name in OWN.items()}
WORDS |= {name: WORDS[wire] for wire, name in OWN.items() if "_" in name}  # others are plain words too
MODEL = re.compile(r"(?<![\w.\"])(?:model|MainModel)\.InferenceParams\.(?=\w)")
SUB = re.compile(r"(?<![\w.\"])(?:sub_models|lora|SubModelList)\[\d+\](?:\.\w+)*")
KNOWN = re.compile(rf"(?<![\w.\"/])({'|'.join(WORDS)})(?:\[\d+\])?(?![\w\"/])")
FIRST = re.compile(rf"^({'|'.join(name for name in NAMES if '_' not in name)})(?= (?:is|are|\d))")


def in_options(text: str) -> str:
    """A sentence of the library or of a service as the command says it."""
    text = SUB.sub("--sub-model", MODEL.sub("", text))
    text = KNOWN.sub(lambda found: WORDS[found[1]], text)
    return FIRST.sub(lambda found: _flag(found[1]), text)


def of_error(error: RestyleError) -> str:
    """The message of ``error``, its field called as the user gave it."""
    message, field = error.message, error.field or ""
    if field:  # which may be a plain word, so not wherever it stands
        message = re.sub(rf"(?:^|(?<=; )|parameter ){re.escape(field)}(?![\w\[.])", _flag(field), message)
    return in_options(message)


def of_pictures(error: RestyleError, *, raw: str, style: str) -> str:
    """The message of ``error`` about one pair of pictures, which are called as the user called them."""
    pictures = {"raw": raw, "ImageList[0]": raw, "style": style, "ImageList[1]": style}
    field = error.field or ""
    if field in pictures and error.message.startswith(f"{field} "):
        rest = in_options(error.message.removeprefix(f"{field} ").removeprefix(f"{pictures[field]} "))
        return f"{pictures[field]} {rest}" if pictures[field] == raw else f"{raw}: {style} {rest}"
    message = of_error(error)
    return message if raw in message else f"{raw}: {message}"


def _flag(field: str) -> str:
    last = field.rpartition(".")[2].partition("[")[0]
    stem = field.partition("[")[0].partition(".")[0]
    if OWN.get(stem, stem) in ("sub_models", "lora"):
        return "--sub-model"
    if last == "ModelCode":
        return "--model"
    name = OWN.get(last, last)
    return FLAGS.get(name, f"--{name.replace('_', '-')}") if name in NAMES else field
