"""Make the README's pictures with the real engine: ``python examples/make_readme_pictures.py``; a minute or so."""

from pathlib import Path

from contact_sheet import contact_sheet
from pictures import PHOTOGRAPHS, photograph, style_picture
from PIL import Image

import restyle

FOLDER = Path(__file__).parent.parent / "docs" / "images"
STYLES = ("wheat-oil", "bay-woodcut", "window-glass", "vase-pastel", "river-inkwash")
STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
SIZE = 512
SEED = 7


def draw(name: str, style_name: str, *, strength: float = 1.0, preserve_color: bool = False) -> Image.Image:
    """The photograph ``name``, square, in the style of an official style."""
    [result] = restyle.convert(
        square(name),
        style_picture(style_name),
        strength=strength,
        width=SIZE,
        height=SIZE,
        seed=SEED,
        preserve_color=preserve_color,
    )
    return result


def square(name: str) -> Image.Image:
    """The middle of the photograph ``name``, square."""
    picture = photograph(name)
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    return picture.crop((left, top, left + side, top + side))


def main() -> None:
    """Write ``docs/images/sheet.jpg`` and ``docs/images/strength.jpg``."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    rows: list[list[Image.Image | None]] = [[None, *(style_picture(style) for style in STYLES)]]
    for name in PHOTOGRAPHS:
        rows.append([square(name), *(draw(name, style) for style in STYLES)])
        print(name)
    contact_sheet(rows, cell=288).save(FOLDER / "sheet.jpg", quality=86, optimize=True, progressive=True)
    steps = [draw("chelsea", "wheat-oil", strength=strength) for strength in STRENGTHS]
    kept = draw("chelsea", "wheat-oil", preserve_color=True)
    contact_sheet([[*steps, kept]], cell=288).save(FOLDER / "strength.jpg", quality=86, optimize=True, progressive=True)
    print(f"wrote {FOLDER / 'sheet.jpg'} and {FOLDER / 'strength.jpg'}")


if __name__ == "__main__":
    main()
