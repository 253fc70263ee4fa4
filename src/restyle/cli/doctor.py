"""``restyle doctor``: is this installation well?"""

from pathlib import Path
from typing import Annotated

import typer

from restyle.cli.output import AsJson, read_settings, say_json


def doctor(
    data_dir: Annotated[
        Path | None, typer.Option("--data-dir", envvar="RESTYLE_DATA_DIR", help="Data folder of the service.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Say what is wrong with this installation, and how to mend it. Exit code 1 where something is."""
    from restyle.doctor import examine

    findings = examine(read_settings(data_dir=data_dir))
    if as_json:
        say_json([{"Check": one.check, "Well": one.well, "Found": one.found, "Mend": one.mend} for one in findings])
    else:
        for one in findings:
            typer.echo(f"{'well ' if one.well else 'WRONG'}  {one.check}: {one.found}")
            if not one.well:
                typer.echo(f"       mend: {one.mend}")
    return 0 if all(one.well for one in findings) else 1
