"""The contract every engine keeps."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from restyle.images.pixels import Pixels as Pixels

Report = Callable[[float], None]
"""Takes the fraction of the job done, 0..1. May raise to stop the job; engines let that exception pass."""


class Feature(StrEnum):
    """What a request can ask of an engine beyond two pictures, a strength, a seed and a size."""

    TEXT = "text"
    LORA = "lora"
    EMBEDDING = "embedding"
    HYPERNETWORK = "hypernetwork"
    VAE = "vae"
    STEPS = "steps"


@dataclass(frozen=True, slots=True)
class Job:
    """All that decides the pixels of a result.

    ``raw`` is uint8 (height, width, 3), already fitted to the size of the result; ``style`` is uint8 (H, W, 3), the
    whole reference. ``strength`` is 0..1. ``seeds`` holds one seed 0..2147483647 per image of the batch.
    """

    raw: Pixels
    style: Pixels
    strength: float
    seeds: tuple[int, ...]
    preserve_color: bool = False
    positive_prompts: tuple[str, ...] = ()
    negative_prompts: tuple[str, ...] = ()


class Engine(Protocol):
    """Redraws pictures. Pure: the same job gives the same pixels; no network, database, clock or changing globals."""

    def convert(self, job: Job, report: Report) -> Iterator[Pixels]:
        """Yield one image of the raw image's size per seed, in order, calling ``report`` often."""
        ...
