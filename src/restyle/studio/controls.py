"""The controls of the form of a conversion, read from the declarations that the wire's schema is made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from restyle.conversion.request import Conversion
from restyle.wire.fields import Plain

LABELS = {
    "strength": "Style strength",
    "width": "Width",
    "height": "Height",
    "seed": "Seed",
    "batch_size": "Images",
    "preserve_color": "Keep the photograph's colours",
    "positive_prompts": "What should appear",
    "negative_prompts": "What should not appear",
    "model": "Model",
    "sub_models": "Sub-models",
    "steps": "Steps",
    "sampler": "Sampler",
    "cfg_scale": "Guidance scale",
    "clip_skip": "Clip skip",
    "resize_mode": "Where the shape differs",
    "keep_alpha": "Keep transparency",
    "translate_prompts": "Translate prompts into English",
    "use_main_model_vae": "Use the model's own VAE",
    "control_type": "Guide",
    "control_image": "Guide picture",
    "mask": "Mask",
    "weight": "Weight",
}
"""What the page calls each field, and each picture beside the photograph and the style."""
CONTROL_KINDS = {
    "canny": "outlines (Canny)",
    "tile": "the photograph itself (tile)",
    "depth": "depth",
    "lineart": "a line drawing",
    "softedge": "soft edges",
    "openpose": "the pose of people",
}
"""What the page calls what a ControlNet is shown."""


@dataclass(frozen=True, slots=True)
class Control:
    """One control. ``kind`` is range, number, toggle, choice or lines; ``step`` goes with numbers."""

    name: str
    kind: str
    label: str
    minimum: float | None = None
    maximum: float | None = None
    step: str = "1"
    default: Any = None
    options: tuple[str, ...] = ()
    whole: bool = False


@cache
def controls() -> dict[str, Control]:
    """All controls by the name of their field, with ranges, defaults and choices as they are declared."""
    schema = Conversion.model_json_schema(schema_generator=Plain)
    declared = {**schema["properties"], **schema["$defs"]["Parameters"]["properties"]}
    names = [name for name in LABELS if name in declared and name not in ("model", "sub_models")]
    return {name: _control(name, declared[name]) for name in names}


def _control(name: str, declared: Mapping[str, Any]) -> Control:
    kind = declared.get("type")
    numbers: dict[str, Any] = {"minimum": declared.get("minimum"), "maximum": declared.get("maximum")}
    default = declared.get("default")
    if kind == "boolean":
        return Control(name, "toggle", LABELS[name], default=default)
    if kind == "array":
        return Control(name, "lines", LABELS[name], default=())
    if "enum" in declared:
        return Control(name, "choice", LABELS[name], default=default, options=tuple(declared["enum"]))
    if kind == "string":
        return Control(name, "choice", LABELS[name], default=default)
    if kind == "integer":
        return Control(name, "number", LABELS[name], **numbers, default=default, whole=True)
    step = "0.01" if numbers["maximum"] == 1 else "0.05" if name == "weight" else "0.5"
    return Control(name, "range", LABELS[name], **numbers, step=step, default=default)
