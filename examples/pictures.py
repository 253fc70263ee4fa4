"""The pictures this project shows: photographs from inside scikit-image, free to use, and style pictures of our own."""

from dataclasses import dataclass
from pathlib import Path

from PIL import Image

try:
    import skimage.data
except ImportError:
    raise SystemExit("the photographs come with scikit-image; install it first: pip install scikit-image") from None

STYLES = Path(__file__).parents[1] / "src" / "restyle" / "styles" / "pictures"


@dataclass(frozen=True)
class Photograph:
    """Where a photograph comes from, as scikit-image's own documentation says."""

    title: str
    source: str
    licence: str


PHOTOGRAPHS = {
    "astronaut": Photograph("Eileen Collins, astronaut", "NASA Great Images", "public domain"),
    "chelsea": Photograph("Chelsea the cat", "Stefan van der Walt", "CC0"),
    "coffee": Photograph("a cup of coffee", "Rachel Michetti, courtesy of Pikolo Espresso Bar", "CC0"),
    "rocket": Photograph("Falcon 9 with DSCOVR, lifting off", "SpaceX", "public domain"),
}
"""Name in ``skimage.data`` and origin."""


def photograph(name: str) -> Image.Image:
    """The photograph ``name``, RGB. Raises ``KeyError`` for a name not in ``PHOTOGRAPHS``."""
    if name not in PHOTOGRAPHS:
        raise KeyError(f"no photograph is called {name!r}; there are: {', '.join(PHOTOGRAPHS)}")
    return Image.fromarray(getattr(skimage.data, name)())


def style_picture(name: str) -> Image.Image:
    """The picture ``name`` of ``src/restyle/styles/pictures``. Raises ``FileNotFoundError``."""
    with Image.open(STYLES / f"{name}.jpg") as picture:
        picture.load()
        return picture
