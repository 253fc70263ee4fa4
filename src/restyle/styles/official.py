"""The styles that come with Restyle: eight pictures of ours, everybody's, under a word each."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from restyle.images.thumbnail import thumbnail
from restyle.styles.style import KeptStyle

PICTURES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "oil": ("Oil painting", "wheat-oil"),
        "woodcut": ("Woodcut", "bay-woodcut"),
        "glass": ("Stained glass", "window-glass"),
        "mosaic": ("Mosaic", "fish-mosaic"),
        "inkwash": ("Ink wash", "river-inkwash"),
        "points": ("Pointillism", "harbour-points"),
        "pastel": ("Pastel", "vase-pastel"),
        "screenprint": ("Screen print", "desert-screenprint"),
    }
)
"""StyleCode -> the name to show, and that of the picture's file."""


def official() -> tuple[KeptStyle, ...]:
    """All of them, in their order."""
    return tuple(_style(code) for code in PICTURES)


def official_style(code: str) -> KeptStyle | None:
    """The one of that StyleCode, None where there is none."""
    return _style(code) if code in PICTURES else None


def is_official(code: str) -> bool:
    """Whether a style of ours has that name, capitals not counted: nobody else's may be taken for it."""
    return code.casefold() in PICTURES


@cache
def official_thumbnail(code: str) -> bytes:
    """A small JPEG of the picture. Raises KeyError for a StyleCode that is none of ours."""
    return thumbnail(_style(code).picture)


@cache
def _style(code: str) -> KeptStyle:
    name, stem = PICTURES[code]
    picture = files("restyle.styles").joinpath("pictures", f"{stem}.jpg").read_bytes()
    return KeptStyle(code, picture, name=name, is_official=True)
