"""What a file turned out to be, and the marks by which the two base models are told apart."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from restyle.models.kinds import Architecture, Kind
from restyle.models.tensors import refusal

CONTEXT = {768: Architecture.SD15, 2048: Architecture.SDXL}
"""Width of the text that cross-attention reads -> the base model that reads it."""
SD2_CONTEXT = 1024


@dataclass(frozen=True, slots=True)
class Detected:
    """A file, as its tensors tell. ``architecture`` None means undecided, and ``undecided`` says why.

    An image encoder belongs to no architecture; its ``undecided`` is empty.
    """

    kind: Kind
    architecture: Architecture | None
    format: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    undecided: str = ""


def by_width(path: Path, what: str, context: int) -> Architecture | None:
    """The base model of that context width; None for a width of neither. Raises RestyleError (230) for SD 2's."""
    if context == SD2_CONTEXT:
        raise refusal(
            path, f"{what} for Stable Diffusion 2 (context of {SD2_CONTEXT}); Restyle draws with SD 1.5 and SDXL"
        )
    return CONTEXT.get(context)


def agreed(path: Path, what: str, structure: Architecture | None, context: int) -> Architecture | None:
    """The base model told by names and numbers of tensors, else by the width of the context.

    Raises RestyleError (230) where one speaks for SD 1.5 and the other for SDXL.
    """
    width = by_width(path, what, context)
    if structure and width and structure is not width:
        raise refusal(
            path,
            f"{what} that contradicts itself: built like {structure.label}, with {width.label}'s context of {context}",
        )
    return structure or width
