"""What a machine must have to draw a plan, as one line of text: the engine, then the files.

``diffusion <checkpoint> <file> <file>``: the name of the engine's family, the SHA-256 of the checkpoint or ``-``, and
those of all other files, ascending. Two plans with the same line can be drawn by the same machines.
"""

from collections.abc import Mapping
from typing import Any

NONE = "-"


def needs_of(plan: Mapping[str, Any]) -> str:
    """The line of a plan as :func:`restyle.conversion.stored.to_json` writes it."""
    mains = [file["sha256"] for file in plan["files"] if file["role"] == "main"]
    others = sorted({file["sha256"] for file in plan["files"]} - set(mains[:1]))
    return " ".join((plan["family"], mains[0] if mains else NONE, *others))


def family_of(needs: str) -> str:
    """The engine's name."""
    return needs.partition(" ")[0]


def checkpoint_of(needs: str) -> str:
    """The SHA-256 of the checkpoint, empty where the plan has none."""
    parts = needs.split(" ", 2)
    return parts[1] if len(parts) > 1 and parts[1] != NONE else ""


def files_of(needs: str) -> tuple[str, ...]:
    """The SHA-256 of every file."""
    return tuple(part for part in needs.split(" ")[1:] if part != NONE)
