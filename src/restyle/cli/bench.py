"""``restyle bench``: quality and speed, measured here and now."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Part(StrEnum):
    """What can be measured on its own."""

    QUALITY = "quality"
    SPEED = "speed"
    SERVICE = "service"
    NEIGHBOUR = "neighbour"


def bench(
    out: Annotated[Path, typer.Option(help="Folder for the table, the sheets and the results.")] = Path("out/bench"),
    evaluation: Annotated[
        Path | None,
        typer.Option(
            "--eval",
            envvar="RESTYLE_BENCH_EVAL",
            help="Folder with content/, style/ and perhaps peers/<method>/; otherwise pictures that come along.",
        ),
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Every photograph with every artwork.")] = False,
    pairs: Annotated[
        int | None, typer.Option(min=1, help="Pairs of pictures for the neighbour; all if not given.")
    ] = None,
    part: Annotated[
        list[Part] | None,
        typer.Option(help="Measure only this; may be repeated. All but the neighbour, if not given."),
    ] = None,
) -> int:
    """Measure the engine and the service beside their peers. Exit code 1 where a bar is not met."""
    try:
        from restyle.bench import run
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("restyle"):
            raise
        raise typer.BadParameter(f"{error.name} is missing; install it with: pip install 'restyle[bench]'") from error
    parts = [run.Part(one) for one in part] if part else run.USUAL
    try:
        return 0 if run.run(out, evaluation=evaluation, full=full, pairs=pairs, parts=parts) else 1
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
