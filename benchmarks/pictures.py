"""Which pictures are compared: photographs, artworks, and the fixed pairs of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from skimage import data

from restyle.images.decode import decode
from restyle.images.limits import Limits
from restyle.images.pixels import Pixels
from restyle.images.structure.read import SUFFIXES
from restyle.settings import Settings

SHIPPED = ("astronaut", "coffee", "cat", "rocket")
"""Photographs inside the scikit-image package (public domain or CC0), by their names in ``skimage.data``."""
STYLES = Path(__file__).parents[1] / "src" / "restyle" / "styles" / "pictures"
"""The style pictures of the repository."""


@dataclass(frozen=True, slots=True)
class Gallery:
    """What is compared: photographs and artworks by name, and folders of other methods' results by their names."""

    contents: dict[str, Pixels]
    styles: dict[str, Pixels]
    peers: dict[str, Path]


@dataclass(frozen=True, slots=True)
class Pair:
    """One photograph with one artwork, by their names."""

    content: str
    style: str

    @property
    def name(self) -> str:
        """The stem of a result's file: ``<content>_<style>``."""
        return f"{self.content}_{self.style}"


def gallery(path: Path | None) -> Gallery:
    """The pictures of a folder with ``content/``, ``style/`` and, if there is one, ``peers/<method>/``.

    Without a folder: photographs of scikit-image and the style pictures of the repository. Raises ValueError where
    pictures are missing.
    """
    if path is None:
        if not STYLES.is_dir():
            raise ValueError(f"{STYLES} is missing (not a checkout of the repository?): name a folder with --eval")
        photographs = {name: np.ascontiguousarray(getattr(data, name)()) for name in SHIPPED}
        return Gallery(photographs, folder(STYLES), {})
    peers = {p.name: p for p in sorted((path / "peers").glob("*")) if p.is_dir()}
    return Gallery(folder(path / "content"), folder(path / "style"), peers)


def read(path: Path) -> Pixels:
    """uint8 (H, W, 3), as Restyle reads it. Raises RestyleError."""
    return decode(path.read_bytes(), Limits.of(Settings()), field=str(path))


def folder(path: Path) -> dict[str, Pixels]:
    """All pictures of a folder by their stems, in the order of their names. Raises ValueError where there are none."""
    found = {file.stem: read(file) for file in sorted(path.iterdir()) if file.suffix.lower() in SUFFIXES}
    if not found:
        raise ValueError(f"{path}: no pictures ({', '.join(sorted(SUFFIXES))}) in this folder")
    return found


def pairs(contents: list[str], styles: list[str], *, full: bool) -> list[Pair]:
    """Artwork k with photograph k modulo their count; with ``full``, every photograph with every artwork."""
    if full:
        return [Pair(content, style) for style in styles for content in contents]
    return [Pair(contents[k % len(contents)], style) for k, style in enumerate(styles)]


def results(path: Path, wanted: list[Pair]) -> Iterator[tuple[Pair, Pixels]]:
    """The pictures ``<content>_<style>.*`` of a folder. Raises ValueError naming the first that is missing."""
    for pair in wanted:
        file = next((f for s in sorted(SUFFIXES) if (f := path / f"{pair.name}{s}").exists()), None)
        if file is None:
            raise ValueError(f"{path}: no {pair.name} ({', '.join(sorted(SUFFIXES))}) in this folder")
        yield pair, read(file)
