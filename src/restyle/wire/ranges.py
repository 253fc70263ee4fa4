"""The one table of ranges and defaults: the wire, the library, the command and every form read it."""

from dataclasses import dataclass
from typing import Any

from pydantic import Field


@dataclass(frozen=True, slots=True)
class Range:
    """What a number may be, both ends included, and what it is where nothing is said."""

    minimum: float
    maximum: float
    default: float

    def field(self, description: str, *, from_: float | None = None) -> Any:
        """The declaration of a field that keeps this range. ``from_``: what is below the minimum down to there is read,
        and left to whoever knows the model.
        """
        if from_ is None:
            return Field(ge=self.minimum, le=self.maximum, description=description)
        return Field(ge=from_, le=self.maximum, description=description, json_schema_extra={"minimum": self.minimum})


@dataclass(frozen=True, slots=True)
class WholeRange(Range):
    """Of whole numbers."""

    minimum: int
    maximum: int
    default: int


SIDE = WholeRange(64, 2560, 1024)
"""Pixels of a result's width and height."""
BATCH_SIZE = WholeRange(1, 16, 1)
SEED = WholeRange(-1, 2_147_483_647, -1)
"""-1 draws a seed."""
STRENGTH = Range(0, 1, 0.5)
STEPS = WholeRange(6, 100, 10)
FEWEST_STEPS = 1
"""Of models whose entry says that they draw in so few; all others keep to ``STEPS``."""
CLIP_SKIP = WholeRange(1, 12, 1)
CFG_SCALE = Range(1, 30, 7.5)
WEIGHT = Range(-1, 2, 1)
"""Of a LoRA or a hypernetwork."""
SAMPLER = "Euler"
CONTROL_TYPES = ("canny", "tile", "depth", "lineart", "softedge", "openpose")
"""What a ControlNet can be shown of a raw image."""
RESIZE_MODES = ("JustResize", "CropAndResize", "ResizeAndFill")
RESIZE_MODE = "CropAndResize"
"""Its default."""
