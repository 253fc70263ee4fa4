"""The command ``restyle``: its groups, and how it ends when something is wrong."""

import os
import sys
from typing import Annotated, NoReturn, cast

import typer

from restyle import __version__
from restyle.cli import convert, doctor, fleet, keys, languages, models, serve, sheet, styles, tasks
from restyle.cli.complete import quoted_for_bash
from restyle.cli.exits import Exit, exit_of
from restyle.cli.output import fail, show_help, shown
from restyle.cli.photographs import reason
from restyle.cli.words import of_error
from restyle.wire.errors import RestyleError

UsageError = cast("type[typer.BadParameter]", typer.BadParameter.__mro__[1])
"""What BadParameter and its like have in common. It is click's own class, or that of Typer's copy of click."""

NAME = "restyle"
"""Of the command, however it was started: also in what it asks a shell to run."""

app = typer.Typer(
    name=NAME,
    help="Redraw pictures in the style of others: here, or through a service.",
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("convert")(convert.convert)
app.command("sheet")(sheet.sheet)
app.add_typer(styles.app, name="styles")
app.add_typer(tasks.app, name="tasks")
app.command("serve")(serve.serve)
app.add_typer(keys.app, name="keys")
app.add_typer(keys.credits_app, name="credits")
app.add_typer(fleet.app, name="fleet")
app.add_typer(models.app, name="models")
app.add_typer(languages.app, name="languages")
app.command("doctor")(doctor.doctor)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"restyle {__version__}")
        raise typer.Exit


@app.callback()
def _restyle(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    show_help(context)


def main() -> NoReturn:
    """Run the command. What a user can act on is one line on standard error, and an exit code (:class:`Exit`)."""
    try:
        if os.environ.get("_RESTYLE_COMPLETE") == "complete_bash":
            quoted_for_bash(lambda: app(standalone_mode=False, prog_name=NAME))
        outcome = app(standalone_mode=False, prog_name=NAME)
    except RestyleError as error:
        fail(of_error(error))
        sys.exit(exit_of(int(error.code)))
    except UsageError as error:
        fail(error.format_message())
        sys.exit(Exit.USAGE)
    except BrokenPipeError:  # who read along has gone
        sys.stdout = None
        sys.exit(Exit.FILES)
    except OSError as error:
        fail(f"{shown(error.filename)}: {reason(error)}" if error.filename else reason(error))
        sys.exit(Exit.FILES)
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(Exit.INTERRUPTED)
    sys.exit(outcome if isinstance(outcome, int) else 0)
