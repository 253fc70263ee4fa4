"""How a picture was made, in the text form that readers of Stable Diffusion WebUI's pictures parse."""

import json
from importlib.metadata import version

from restyle.engines.base import Feature
from restyle.models.registry import MainModel
from restyle.tasks.spec import Spec


def parameters(spec: Spec, model: MainModel, seed: int) -> str:
    """The prompts on lines of their own, then ``Name: value`` pairs on one: only what the engine really used.

    Values that hold a comma, a colon, a quote or a line break are quoted as JSON, which is how readers tell them.
    """
    lines = []
    if Feature.TEXT in model.family.honours:
        lines.append(", ".join(spec.positive_prompts))
        if spec.negative_prompts:
            lines.append("Negative prompt: " + ", ".join(spec.negative_prompts))
    pairs: dict[str, object] = {
        "Seed": seed,
        "Size": f"{spec.width}x{spec.height}",
        "Model": model.code,
        "Style strength": f"{spec.strength:.6f}".rstrip("0").rstrip("."),
        "Resize mode": spec.resize_mode,
    }
    if spec.preserve_color:
        pairs["Preserve color"] = True
    pairs["Version"] = f"Restyle {version('restyle')}"
    lines.append(", ".join(f"{name}: {_quoted(str(value))}" for name, value in pairs.items()))
    return "\n".join(lines)


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False) if any(mark in value for mark in ',:"\n') else value
