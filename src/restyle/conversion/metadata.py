"""How a picture was made, in the text form that readers of Stable Diffusion WebUI's pictures parse."""

import json
from importlib.metadata import version

from restyle.conversion.plan import Plan
from restyle.engines.base import Description


def parameters(plan: Plan, description: Description, seed: int) -> str:
    """The prompts on lines of their own, then ``Name: value`` pairs on one: only what the engine really used.

    Values that hold a comma, a colon, a quote or a line break are quoted as JSON, which is how readers tell them.
    """
    lines = []
    if description.positive or description.negative:
        lines.append(description.positive)
        if description.negative:
            lines.append(f"Negative prompt: {description.negative}")
    pairs: dict[str, object] = {
        **description.parameters,
        "Seed": seed,
        "Size": f"{plan.width}x{plan.height}",
        "Model": plan.model,
        "Style strength": f"{plan.strength:.6f}".rstrip("0").rstrip("."),
        "Resize mode": plan.resize_mode,
    }
    if plan.preserve_color:
        pairs["Preserve color"] = True
    pairs["Version"] = f"Restyle {version('restyle')}"
    lines.append(", ".join(f"{name}: {_quoted(str(value))}" for name, value in pairs.items()))
    return "\n".join(lines)


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False) if any(mark in value for mark in ',:"\n') else value
