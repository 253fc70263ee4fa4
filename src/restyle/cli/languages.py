"""``restyle languages``: neural translation of prompts, for the languages an operator installs."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from restyle.cli.output import AsJson, read_settings, say_json, say_table, show_help, transfers

if TYPE_CHECKING:
    from restyle.prompts.packages import Installed

app = typer.Typer(
    help="Neural translation of prompts. Without it the embedded glossary translates keywords.",
    invoke_without_command=True,
)
app.callback()(show_help)

Codes = Annotated[list[str] | None, typer.Argument(metavar="[CODE]...", help="Languages, such as zh ja de.")]
From = Annotated[
    Path | None,
    typer.Option(
        "--from",
        help="An .argosmodel file, its unpacked folder, or the folder of a Marian model converted for CTranslate2"
        " (model/, source.spm, target.spm; say its language too). Nothing is downloaded.",
    ),
]


@app.command("install")
def install(codes: Codes = None, origin: From = None) -> None:
    """Install languages: from the public index of Argos Translate, or from here with --from."""
    from restyle.prompts import packages
    from restyle.prompts.codes import TRANSLATED

    data_dir = read_settings().data_dir
    wanted = list(dict.fromkeys(codes or ()))
    for code in wanted:
        if code not in TRANSLATED:
            raise typer.BadParameter(f"{code!r} is not one of {', '.join(TRANSLATED)}")
    if origin is not None:
        if len(wanted) > 1:
            raise typer.BadParameter("--from installs one language")
        _say(packages.install(data_dir, origin, wanted[0] if wanted else ""))
        return
    if not wanted:
        raise typer.BadParameter(f"say which languages: some of {', '.join(TRANSLATED)}")
    _download(data_dir, wanted)


def _download(data_dir: Path, codes: list[str]) -> None:
    from restyle.models.files.line import client
    from restyle.models.files.part import held
    from restyle.models.files.several import fetch_all
    from restyle.prompts import download, packages

    with client() as http, ExitStack() as mine:
        offered = download.offers(http)
        missing = [code for code in codes if code not in offered]
        if missing:
            raise typer.BadParameter(f"the index has no package into English for {', '.join(missing)}")
        # places that stay, so that the next try goes on where this one was cut off
        folder = packages.languages_dir(data_dir) / ".fetched"
        archives = {code: folder / f"{code}.argosmodel" for code in codes}
        for code in sorted(codes):
            mine.enter_context(held(folder / code))
        with transfers(shown=True) as report:
            fetch_all(http, [download.wanted(offered[code], path) for code, path in archives.items()], report=report)
        for code, path in archives.items():
            try:
                _say(packages.install(data_dir, path, code, source=offered[code].url))
            finally:
                path.unlink()


@app.command("list")
def list_languages(as_json: AsJson = False) -> None:
    """The languages prompts may be in, and what translates them."""
    from restyle.prompts.codes import NAMES, TRANSLATED
    from restyle.prompts.packages import installed

    found = {language.code: language for language in installed(read_settings().data_dir)}
    if as_json:
        entries = {}
        for code in TRANSLATED:
            language = found.get(code)
            entries[code] = {
                "name": NAMES[code],
                "backend": "neural" if language else "glossary",
                "kind": language.kind if language else None,
                "version": language.version if language else None,
                "source": language.source if language else None,
                "sha256": language.sha256 if language else None,
            }
        say_json(entries)
        return
    rows = []
    for code in TRANSLATED:
        language = found.get(code)
        what = f"neural ({language.kind} {language.version})".replace(" )", ")") if language else "glossary"
        rows.append((code, NAMES[code], what, language.sha256[:12] if language else ""))
    say_table(("CODE", "LANGUAGE", "TRANSLATED BY", "SHA-256"), rows)


@app.command("remove")
def remove(codes: Annotated[list[str], typer.Argument(metavar="CODE...", help="Languages, such as zh ja de.")]) -> None:
    """Remove installed languages; the glossary takes over."""
    from restyle.prompts import packages

    for code in codes:
        packages.remove(read_settings().data_dir, code)
        typer.echo(f"{code} is removed")


def _say(language: "Installed") -> None:
    what = f"{language.kind} {language.version}".rstrip()
    typer.echo(f"{language.code} is installed: {what}, SHA-256 {language.sha256}")
