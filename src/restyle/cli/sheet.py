"""``restyle sheet``: before, style and after in one picture."""

from pathlib import Path
from typing import Annotated

import typer

from restyle.cli.output import AsJson, say, say_json, shown


def sheet(
    pictures: Annotated[
        list[Path], typer.Argument(help="Before, style, after; again and again for more rows.", show_default=False)
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The PNG or JPEG to write.")] = Path("sheet.png"),
    height: Annotated[int, typer.Option(min=64, max=2560, help="Height of a row in pixels.")] = 384,
    as_json: AsJson = False,
) -> None:
    """Lay photographs, styles and results side by side."""
    if len(pictures) % 3:
        raise typer.BadParameter(f"{len(pictures)} pictures are no rows of three: give before, style, after")
    if output.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise typer.BadParameter(f"{output.name} is neither PNG nor JPEG; name it {output.stem}.png")

    from restyle.images.sheet import strips

    rows = [pictures[at : at + 3] for at in range(0, len(pictures), 3)]
    image = strips(rows, height)
    output.parent.mkdir(parents=True, exist_ok=True)
    if output.suffix.lower() == ".png":
        image.save(output)
    else:
        image.save(output, quality=92, subsampling=0)
    if as_json:
        say_json({"Sheet": str(output), "Width": image.width, "Height": image.height})
    else:
        say(f"{shown(output)}  {image.width}x{image.height}")
