"""``restyle sheet``: before, style and after in one picture, or whatever else shall lie side by side."""

from pathlib import Path
from typing import Annotated

import typer

from restyle.cli import results
from restyle.cli.output import AsJson, say, say_json, shown


def sheet(
    pictures: Annotated[
        list[Path], typer.Argument(help="Before, style, after; again and again for more rows.", show_default=False)
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The PNG, JPEG or WebP to write.")] = Path("sheet.png"),
    columns: Annotated[
        int | None, typer.Option(min=1, help="Pictures in a row.", show_default="as many as labels")
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(
            help="Above a column; one for each, or none for a sheet without.", show_default="before, style, after"
        ),
    ] = None,
    height: Annotated[int, typer.Option(min=64, max=2560, help="Height of a row in pixels.")] = 384,
    quality: results.Quality = results.QUALITY,
    overwrite: results.Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Lay photographs, styles and results side by side, three in a row unless told otherwise."""
    if output.suffix.lower() not in results.FORMATS:
        raise typer.BadParameter(f"{shown(output.name)} is no PNG, JPEG or WebP; name it {shown(output.stem)}.png")

    from restyle.images.sheet import NAMES, strips

    labels = tuple(label or (NAMES if columns in (None, len(NAMES)) else ()))
    wide = columns or len(labels)
    if labels and len(labels) != wide:
        raise typer.BadParameter(f"{len(labels)} labels are none for {wide} columns; give --label once for each")
    if len(pictures) % wide:
        what = f" ({', '.join(labels)})" if labels else ""
        raise typer.BadParameter(f"{len(pictures)} pictures are no rows of {wide}{what}; see --columns")
    results.check([output], overwrite=overwrite)
    rows = [pictures[at : at + wide] for at in range(0, len(pictures), wide)]
    image = strips(rows, height, labels)
    results.write([image], (output,), quality, overwrite=overwrite)
    if as_json:
        say_json({"Sheet": str(output), "Width": image.width, "Height": image.height})
    else:
        say(f"{shown(output)}  {image.width}x{image.height}")
