"""The contract every engine keeps."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
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
class Inference:
    """How a model is run, in the wire's terms (InferenceParams); an engine uses what it honours.

    ``steps`` is 6..100, ``clip_skip`` 1..12 in the Stable Diffusion WebUI's numbering, ``cfg_scale`` 1..30;
    ``sampler`` is a name of that program.
    """

    steps: int = 10
    sampler: str = "Euler"
    clip_skip: int = 1
    cfg_scale: float = 7.5


@dataclass(frozen=True, slots=True)
class Adapter:
    """A sub-model laid over the main model: ``kind`` is LORA, EMBEDDING or HYPERNETWORK, ``weight`` -1..2."""

    code: str
    kind: Feature
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Job:
    """All that decides the pixels of a result.

    ``raw`` is uint8 (height, width, 3), already fitted to the size of the result; ``style`` is uint8 (H, W, 3), the
    whole reference. ``strength`` is 0..1. ``seeds`` holds one seed 0..2147483647 per image of the batch. ``model`` is
    the ModelCode, for engines that draw with more than one. Prompts are in the language the engine reads.
    """

    raw: Pixels
    style: Pixels
    strength: float
    seeds: tuple[int, ...]
    preserve_color: bool = False
    positive_prompts: tuple[str, ...] = ()
    negative_prompts: tuple[str, ...] = ()
    model: str = ""
    inference: Inference = Inference()
    adapters: tuple[Adapter, ...] = ()
    main_model_vae: bool = False


@dataclass(frozen=True, slots=True)
class Description:
    """What an engine makes of a job, in words.

    ``positive`` and ``negative`` are the prompts as the engine reads them, empty where it reads none. ``parameters``
    (name -> value) stand in the metadata of the picture: what had a part in it beyond the model, the seed, the size and
    the strength. ``notices`` are sentences for the client: choices made where the request left one.
    """

    positive: str = ""
    negative: str = ""
    parameters: Mapping[str, object] = field(default_factory=dict)
    notices: tuple[str, ...] = ()


class Engine(Protocol):
    """Redraws pictures. Pure: the same job gives the same pixels; no network, database, clock or changing globals.

    Both methods may raise RestyleError for what only the engine can see; it ends the task with that code and message.
    """

    def describe(self, job: Job) -> Description:
        """What ``convert`` would do. Cheap, and called before it."""
        ...

    def convert(self, job: Job, report: Report) -> Iterator[Pixels]:
        """Yield one image of the raw image's size per seed, in order, calling ``report`` often."""
        ...
