"""What the command says: text for people, ``--json`` for programs, one line for what went wrong."""

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from restyle.client.core import Progress
    from restyle.models.files.several import Tally
    from restyle.settings import Settings

DataDir = Annotated[
    Path | None, typer.Option("--data-dir", envvar="RESTYLE_DATA_DIR", help="Data folder of the service.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Url = Annotated[
    str | None,
    typer.Option("--url", envvar="RESTYLE_URL", help="A service to ask instead of working here."),
]
PublicKey = Annotated[
    str | None, typer.Option("--public-key", envvar="RESTYLE_PUBLIC_KEY", help="The public key, with --url.")
]
PrivateKey = Annotated[
    str | None,
    typer.Option(
        "--private-key",
        envvar="RESTYLE_PRIVATE_KEY",
        help="The private key, with --url. Better in the environment, where other users do not see it.",
    ),
]


def shown(path: object) -> str:
    """A path as text that can be printed: bytes of a name that are no UTF-8 are written as such."""
    return str(path).encode("utf-8", "backslashreplace").decode()


def say(text: str, *, err: bool = False) -> None:
    """One line, whatever the terminal can print."""
    stream = sys.stderr if err else sys.stdout
    encoding = getattr(stream, "encoding", None) or "utf-8"
    typer.echo(text.encode(encoding, "backslashreplace").decode(encoding), err=err)


def say_json(value: Any) -> None:
    """One JSON document on standard output."""
    say(json.dumps(value, ensure_ascii=False))


def say_table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Columns as wide as their longest entry, two spaces apart: readable, and easy to cut."""
    lines = [list(heads), *([str(entry) for entry in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    for line in lines:
        say("  ".join(entry.ljust(width) for entry, width in zip(line, widths, strict=True)).rstrip())


def show_help(context: typer.Context) -> None:
    """A group without a command shows what commands there are."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def fail(message: str) -> None:
    """One line on standard error."""
    say(f"restyle: {' '.join(message.split())}", err=True)


@contextmanager
def progress(text: str, *, shown: bool, whole: "Whole | None" = None) -> Iterator["Progress"]:
    """A progress bar on standard error while the block runs; none where that is not a terminal.

    Of a ``whole`` of several pieces this is the next one: the bar and the time that is left are those of the whole.
    """
    if not shown or not sys.stderr.isatty():
        yield lambda fraction: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn

    here = whole or Whole(1)
    # until a model is loaded nothing but the spinner, the bar's own motion and the time can move
    columns = SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn()
    more = TimeElapsedColumn(), TextColumn("{task.fields[left]}")
    with Progress(*columns, *more, console=Console(stderr=True), transient=True) as bars:
        done = here.done / here.pieces
        bar = bars.add_task(text, total=1.0 if done else None, left=here.left(done))
        bars.update(bar, completed=done)

        def report(fraction: float) -> None:
            done = (here.done + fraction) / here.pieces
            bars.update(bar, total=1.0 if done else None, completed=done, left=here.left(done))

        yield report


@contextmanager
def counting(text: str, *, shown: bool) -> Iterator["Callable[[int], Callable[[int], None]]"]:
    """A progress bar that is first told how many bytes there are, then of each piece read."""
    with progress(text, shown=shown) as report:

        def begin(total: int) -> "Callable[[int], None]":
            done = 0

            def advance(count: int) -> None:
                nonlocal done
                done += count
                report(min(1.0, done / max(total, 1)))

            return advance

        yield begin


@contextmanager
def transfers(*, shown: bool) -> Iterator["Callable[[Tally], None]"]:
    """One line on standard error for all files that come while the block runs: files, bytes, speed and time left.

    None where that is not a terminal.
    """
    if not shown or not sys.stderr.isatty():
        yield lambda tally: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    sizes = DownloadColumn(binary_units=True), TransferSpeedColumn(), TimeRemainingColumn(), TextColumn("left")
    columns = TextColumn("{task.description}", markup=False), BarColumn()
    with Progress(*columns, *sizes, console=Console(stderr=True), transient=True) as bars:
        bar = bars.add_task("fetching", total=None)

        def report(tally: "Tally") -> None:
            bars.update(
                bar,
                description=f"{tally.done} of {tally.files} files",
                completed=tally.there,
                total=tally.total or None,
            )

        yield report


@dataclass(slots=True)
class Whole:
    """Work of several ``pieces``, of which ``done`` are done. It begins when it is made."""

    pieces: int
    done: int = 0
    began: float = field(default_factory=time.monotonic)

    def left(self, done: float) -> str:
        """How long it will still take where that fraction of it is done, in words; empty while nobody can tell."""
        if done <= 0:
            return ""
        seconds = round((time.monotonic() - self.began) * (1 - done) / done)
        minutes, seconds = divmod(seconds, 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02}:{seconds:02} left" if hours else f"{minutes}:{seconds:02} left"


def read_settings(**given: Any) -> "Settings":
    """The settings of the environment, and over them what is given and not None. Raises RestyleError (5000)."""
    from pydantic import ValidationError

    from restyle.settings import Settings
    from restyle.wire.codes import Code
    from restyle.wire.errors import RestyleError

    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0])
        raise RestyleError(
            Code.INTERNAL_ERROR,
            f"setting RESTYLE_{name.upper()} is {first['input']!r}: {first['msg'].removeprefix('Value error, ')}",
            field=name,
        ) from error


def say_folder(settings: "Settings") -> None:
    """One line on standard error where the data folder is the one of the current folder that nobody named."""
    if "data_dir" not in settings.model_fields_set and not settings.data_dir.is_absolute():
        typer.echo(
            f"restyle: using the data folder {settings.data_dir.absolute()}, since it is there; name it in "
            "RESTYLE_DATA_DIR to use it from any folder",
            err=True,
        )


def need_keys(public_key: str | None, private_key: str | None) -> tuple[str, str]:
    """Both keys. Raises BadParameter where one is missing."""
    if not public_key or not private_key:
        raise typer.BadParameter(
            "--url needs --public-key and --private-key, or RESTYLE_PUBLIC_KEY and RESTYLE_PRIVATE_KEY"
        )
    return public_key, private_key
