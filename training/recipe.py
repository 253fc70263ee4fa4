"""What a run is made with: everything that decides the weights beside the pictures, as data."""

from argparse import ArgumentParser, Namespace
from dataclasses import asdict, dataclass, field, fields
from typing import Any


def _setting(default: Any, meaning: str) -> Any:
    return field(default=default, metadata={"help": meaning})


@dataclass(frozen=True, slots=True)
class Recipe:
    """Shares are how strongly each term pulls on the drawn picture (:mod:`training.balance`)."""

    seconds: float = _setting(470.0, "how long to train; the rate of learning falls along it")
    steps: int = _setting(0, "so many steps instead")
    size: int = _setting(256, "side of the crops in pixels, a multiple of 16")
    batch: int = _setting(24, "pairs a step")
    width: int = _setting(256, "channels of the decoder")
    key: int = _setting(192, "length of what places are compared by")
    rate: float = _setting(5e-4, "of Adam, after the warm-up")
    kernel_rate: float = _setting(7e-4, "of Muon, for the kernels of the convolutions that draw")
    warm: int = _setting(300, "steps until then")
    clip: float = _setting(50.0, "longest gradient")
    memory: float = _setting(0.999, "of the running average of the weights, which is what is kept")
    balanced: int = _setting(1500, "steps in which the terms' weights are measured")
    content: float = _setting(1.0, "share of normalised relu4_1")
    structure: float = _setting(0.3, "share of the structural similarity of luma")
    moments: float = _setting(1.0, "share of channel moments")
    gram: float = _setting(0.5, "share of Gram matrices")
    sliced: float = _setting(0.7, "share of sliced distances of activations")
    patches: float = _setting(0.5, "share of sliced distances of coloured patches")
    local: float = _setting(0.5, "share of local targets")
    identity: float = _setting(0.5, "share of pictures that are their own reference")
    art_side: int = _setting(352, "shorter side that artworks are read at")
    photo_side: int = _setting(304, "shorter side that photographs are read at")
    art_reach: float = _setting(1.375, "how much wider than the crops artworks are cut at most")
    photo_reach: float = _setting(1.1875, "how much wider than the crops photographs are cut at most")
    directions: int = _setting(96, "that distributions are compared along, at random")
    places: int = _setting(2048, "of each picture that are compared along each direction, at random")
    seed: int = _setting(1, "of everything random")
    every: int = _setting(50, "steps between two lines of the log")
    check: float = _setting(45.0, "seconds between two looks at the pictures held back")
    threads: int = _setting(0, "of the CPU; 0 leaves it to torch")
    still: bool = _setting(False, "leave the amounts of noise as they are")
    half: bool = _setting(False, "see, draw and multiply in bfloat16, as on a GPU in any case")
    compiled: bool = _setting(False, "compile the networks: faster after a minute, on a GPU")

    @property
    def shares(self) -> dict[str, float]:
        """Term of the loss -> its share."""
        names = ("content", "structure", "moments", "gram", "sliced", "patches", "local", "identity")
        return {name: float(getattr(self, name)) for name in names}

    def as_dict(self) -> dict[str, Any]:
        """For a checkpoint."""
        return asdict(self)


def add_arguments(parser: ArgumentParser) -> None:
    """An option for every field of :class:`Recipe`."""
    for each in fields(Recipe):
        flag, meaning = f"--{each.name.replace('_', '-')}", each.metadata["help"]
        if isinstance(each.default, bool):
            parser.add_argument(flag, action="store_true", help=meaning)
        else:
            shown = f"{meaning} (default {each.default})"
            parser.add_argument(flag, type=type(each.default), default=each.default, help=shown)


def recipe_of(arguments: Namespace) -> Recipe:
    """What the options say. Raises ValueError where they cannot be meant."""
    recipe = Recipe(**{each.name: getattr(arguments, each.name) for each in fields(Recipe)})
    if recipe.size % 16 or recipe.size < 32:
        raise ValueError(f"--size must be a multiple of 16, at least 32, not {recipe.size}")
    if recipe.batch < 2:
        raise ValueError(f"--batch must be at least 2, one pair being its own reference, not {recipe.batch}")
    if recipe.art_side < recipe.size or recipe.photo_side < recipe.size:
        raise ValueError(f"--art-side and --photo-side must be at least --size, {recipe.size}")
    return recipe
