"""Which pictures are compared: photographs, artworks, and the fixed pairs of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


@dataclass(frozen=True, slots=True)
class Pair:
    """One photograph with one artwork, by their names."""

    content: str
    style: str

    @property
    def name(self) -> str:
        """The stem of a result's file: ``<content>_<style>``."""
        return f"{self.content}_{self.style}"


def read(path: Path) -> Pixels:
    """uint8 (H, W, 3), alpha dropped."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def folder(path: Path) -> dict[str, Pixels]:
    """All pictures of a folder by their stems, in the order of their names. Raises ValueError where there are none."""
    found = {file.stem: read(file) for file in sorted(path.iterdir()) if file.suffix.lower() in SUFFIXES}
    if not found:
        raise ValueError(f"{path}: no pictures ({', '.join(SUFFIXES)}) in this folder")
    return found


def pairs(contents: list[str], styles: list[str], *, full: bool) -> list[Pair]:
    """Artwork k with photograph k modulo their count: each artwork once. ``full``: every photograph with every artwork."""
    if full:
        return [Pair(content, style) for style in styles for content in contents]
    return [Pair(contents[k % len(contents)], style) for k, style in enumerate(styles)]


def results(path: Path, wanted: list[Pair]) -> Iterator[tuple[Pair, Pixels]]:
    """The pictures ``<content>_<style>.*`` of a folder. Raises ValueError naming the first that is missing."""
    for pair in wanted:
        file = next((f for s in SUFFIXES if (f := path / f"{pair.name}{s}").exists()), None)
        if file is None:
            raise ValueError(f"{path}: no {pair.name} ({', '.join(SUFFIXES)}) in this folder")
        yield pair, read(file)
