"""``python -m benchmarks``: quality and speed, measured here and now."""

from pathlib import Path
from typing import Annotated

import typer

from benchmarks import run


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
        int | None, typer.Option(min=1, help="Pairs of pictures for the neighbour and the brush; all if not given.")
    ] = None,
    side: Annotated[
        int | None,
        typer.Option(min=64, help="Side of the pictures of the parts busy and folder; their own if not given."),
    ] = None,
    count: Annotated[
        int | None, typer.Option(min=2, help="Photographs in the folder of the part folder; 50 if not given.")
    ] = None,
    brush: Annotated[Path | None, typer.Option(help="File with the brush's weights; what ships if not given.")] = None,
    part: Annotated[
        list[run.Part] | None,
        typer.Option(help="Measure only this; may be repeated. All but the neighbour and the Studio, if not given."),
    ] = None,
) -> None:
    """Measure the engine and the service beside their peers. Exit code 1 where a bar is not met."""
    parts = part or run.USUAL
    try:
        met = run.run(
            out, evaluation=evaluation, full=full, pairs=pairs, brush=brush, side=side, count=count, parts=parts
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    raise typer.Exit(0 if met else 1)


if __name__ == "__main__":
    typer.run(bench)
