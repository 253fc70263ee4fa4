"""Contact sheets: the photograph, the reference and every method's result, a row a pair."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from restyle.images.pixels import Pixels

TILE = 320
GAP = 8
LABEL = 30
ROWS = 5
PAPER, INK = (250, 249, 246), (40, 40, 44)

Row = Sequence[Pixels]
"""One picture, of any size, for each column."""


def write(folder: Path, columns: Sequence[str], rows: Sequence[Row], *, stem: str = "sheet") -> list[Path]:
    """Write ``sheet-1.jpg``, ``sheet-2.jpg``, ... of :data:`ROWS` rows each into ``folder``; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    pages = []
    for number, first in enumerate(range(0, len(rows), ROWS), start=1):
        path = folder / f"{stem}-{number}.jpg"
        _page(columns, rows[first : first + ROWS]).save(path, quality=92, subsampling=0)
        pages.append(path)
    return pages


def chosen(rows: Sequence[Row], names: Sequence[str], wanted: Sequence[str]) -> list[Row]:
    """Of ``rows``, which are called ``names``, those that are ``wanted``, in that order."""
    return [rows[names.index(name)] for name in wanted]


def tile(image: Pixels) -> Pixels:
    """``image`` reduced to fit a tile, so that a long run need not hold all results."""
    small = Image.fromarray(image)
    small.thumbnail((TILE, TILE), Image.Resampling.LANCZOS)
    return np.asarray(small)


def _page(columns: Sequence[str], rows: Sequence[Row]) -> Image.Image:
    step = TILE + GAP
    page = Image.new("RGB", (GAP + step * len(columns), LABEL + GAP + step * len(rows)), PAPER)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(size=19)
    for x, name in enumerate(columns):
        draw.text((GAP + x * step + TILE / 2, LABEL / 2 + 2), name, INK, font, anchor="mm")
    for y, row in enumerate(rows):
        for x, image in enumerate(row):
            small = tile(image)
            left = GAP + x * step + (TILE - small.shape[1]) // 2
            top = LABEL + GAP + y * step + (TILE - small.shape[0]) // 2
            page.paste(Image.fromarray(small), (left, top))
    return page
