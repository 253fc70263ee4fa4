"""Paint the pictures of the official styles: ``python examples/paint_styles.py [--out FOLDER] [NAME ...]``.

Everything in them is made here, from a seed, with numpy and Pillow; no other picture was used. They are dedicated to
the public domain (CC0). Another seed paints another picture of the same kind.
"""

import argparse
import importlib
from pathlib import Path

from PIL import Image

STYLES = Path(__file__).parents[1] / "src" / "restyle" / "styles" / "pictures"

MEDIA = {
    "wheat-oil": "oil",
    "bay-woodcut": "woodcut",
    "window-glass": "glass",
    "fish-mosaic": "mosaic",
    "river-inkwash": "inkwash",
    "harbour-points": "points",
    "vase-pastel": "pastel",
    "desert-screenprint": "screenprint",
}
"""File name of every picture and the module of ``atelier`` that paints it."""

SEEDS = {name: number for number, name in enumerate(MEDIA, start=1)}


def paint(name: str, seed: int | None = None) -> Image.Image:
    """The picture ``name``; the same seed gives the same pixels. Raises ``KeyError`` for a name not in ``MEDIA``."""
    module = importlib.import_module(f"atelier.{MEDIA[name]}")
    picture: Image.Image = module.paint(SEEDS[name] if seed is None else seed)
    return picture


def main() -> None:
    """Paint what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which to paint; all unless told: {', '.join(MEDIA)}")
    parser.add_argument("--out", type=Path, default=STYLES, help="folder to write to")
    parser.add_argument("--seed", type=int, help="another seed than the committed one")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in MEDIA]
    if unknown:
        parser.error(f"no picture is called {unknown[0]}; there are: {', '.join(MEDIA)}")
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.names or MEDIA:
        target = options.out / f"{name}.jpg"
        paint(name, options.seed).save(target, quality=88, optimize=True, progressive=True)
        print(f"{target}  {target.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main()
