"""``restyle models calibrate``: equal steps of the strength that look equal, with this model on this machine."""

import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from restyle.cli.complete import registered
from restyle.cli.output import AsJson, DataDir, progress, read_settings, say, say_json, say_table

if TYPE_CHECKING:
    from restyle.conversion.spacing import Stretch


def _between(stretch: "Stretch") -> str:
    return f"from {stretch.start:.3f} to {stretch.end:.3f} of the recipe's strengths"


def calibrate(
    code: Annotated[
        str, typer.Argument(metavar="CODE", help="The ModelCode.", show_default=False, autocompletion=registered)
    ],
    pairs: Annotated[
        Path | None,
        typer.Option(
            "--pairs",
            help="Folder with the folders raw and style, whose pictures are paired by name; two drawn pairs if not "
            "given.",
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for the sheet; restyle-calibrate here if not given.")
    ] = Path("restyle-calibrate"),
    save: Annotated[bool, typer.Option("--save", help="Keep the table with the model without being asked.")] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Draw a grid of strengths, and re-space them so that equal steps of StyleReferStrength look like equal steps."""
    from restyle.conversion.calibration import MARKS
    from restyle.conversion.calibration import calibrate as measure
    from restyle.models.catalogue import Catalogue

    settings = read_settings(data_dir=data_dir)
    with progress(f"drawing with {code}", shown=not as_json) as report:
        found = measure(code, settings, out, pairs=pairs, report=report)
    if not as_json:
        say_table(
            ("STRENGTH", "MEANS", "FROM RAW", "FROM STYLE", "STEP"),
            [
                (f"{mark:g}", f"{meant:.3f}", f"{content:.3f}", f"{style:.3f}", f"{step:.1%}" if mark else "")
                for mark, meant, content, style, step in zip(
                    MARKS, found.spacing, found.content, found.style, (0.0, *found.steps), strict=True
                )
            ],
        )
        say(f"seen by {found.eye}, {found.route}; see {found.sheet}")
        for stretch in found.jumps:
            say(f"{_between(stretch)} the picture jumps {stretch.part:.0%} of the way, which no table evens out")
        for stretch in found.returns:
            say(f"{_between(stretch)} the picture comes back by {-stretch.part:.0%} of the way")
        if not found.is_even:
            say("not all steps are even within 10 %; this is the most even table of all that was drawn")
    kept = save or (not as_json and sys.stdin.isatty() and typer.confirm("Keep this with the model?", err=True))
    if kept:
        catalogue = Catalogue.read(settings.data_dir)
        entry = catalogue.get(code)
        catalogue.change(replace(entry, recipe=found.put_into(entry.recipe)))
    if as_json:
        say_json(
            {
                "ModelCode": code,
                "Route": found.route,
                "Spacing": list(found.spacing),
                "FromRaw": list(found.content),
                "FromStyle": list(found.style),
                "Steps": list(found.steps),
                "IsEven": found.is_even,
                "Jumps": [asdict(stretch) for stretch in found.jumps],
                "Returns": [asdict(stretch) for stretch in found.returns],
                "Eye": found.eye,
                "Sheet": str(found.sheet),
                "Saved": kept,
            }
        )
    elif kept:
        say(f'kept with "{code}"; a running service draws so at once')
