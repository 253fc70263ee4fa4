"""``restyle styles``: pictures and settings kept under a name, in the data folder or with an account at a service."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from restyle.cli import kept
from restyle.cli.complete import styles as names
from restyle.cli.output import (
    AsJson,
    PrivateKey,
    PublicKey,
    Url,
    need_keys,
    read_settings,
    say,
    say_folder,
    say_json,
    say_table,
    show_help,
    shown,
)

if TYPE_CHECKING:
    from restyle.client.style import Style
    from restyle.client.sync import Client
    from restyle.conversion.options import Options
    from restyle.images.limits import Limits
    from restyle.settings import Settings
    from restyle.styles.folder import StyleFolder
    from restyle.styles.style import KeptStyle

app = typer.Typer(
    help="Styles kept under a name, with their picture and settings: official ones, and your own.",
    invoke_without_command=True,
)
app.callback()(show_help)

Name = Annotated[str, typer.Argument(help="The style's name.", show_default=False, autocompletion=names)]
DataDir = Annotated[
    Path | None, typer.Option("--data-dir", envvar="RESTYLE_DATA_DIR", help="Data folder that keeps them.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Take the place of a style of that name.")]
HEADS = ("Name", "Official", "Strength", "Model", "Also keeps")


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="What it is called from now on.", show_default=False)],
    picture: Annotated[Path, typer.Argument(help="The picture whose style is taken.", show_default=False)],
    strength: kept.Strength = None,
    preserve_color: kept.PreserveColor = None,
    model: kept.Model = None,
    prompt: kept.Prompt = None,
    negative: kept.Negative = None,
    translate: kept.Translate = None,
    sub: kept.SubModels = None,
    steps: kept.Steps = None,
    sampler: kept.Sampler = None,
    clip_skip: kept.ClipSkip = None,
    cfg_scale: kept.CfgScale = None,
    main_model_vae: kept.MainModelVae = None,
    overwrite: Overwrite = False,
    data_dir: DataDir = None,
    url: Url = None,
    public_key: PublicKey = None,
    private_key: PrivateKey = None,
    as_json: AsJson = False,
) -> None:
    """Keep a picture as a style, with what is given here. Whatever is not given is left open to each conversion."""
    options = kept.given(
        strength=strength,
        preserve_color=preserve_color,
        model=model,
        prompt=prompt,
        negative=negative,
        translate=translate,
        sub=sub,
        steps=steps,
        sampler=sampler,
        clip_skip=clip_skip,
        cfg_scale=cfg_scale,
        main_model_vae=main_model_vae,
    )
    if url:
        with _client(url, public_key, private_key) as client:
            _refuse_taken(client, name, overwrite)
            client.save_style(name, picture, **options)
    else:
        from restyle.conversion.options import to_keep
        from restyle.images.source import to_file
        from restyle.styles.style import KeptStyle

        folder, _ = _folder(data_dir)
        folder.add(
            KeptStyle(name, to_file(picture, field="picture"), to_keep(cast("Options", options))), overwrite=overwrite
        )
    _say_kept(name, as_json)


@app.command("list")
def list_styles(
    data_dir: DataDir = None,
    url: Url = None,
    public_key: PublicKey = None,
    private_key: PrivateKey = None,
    as_json: AsJson = False,
) -> None:
    """Your own styles, then the official ones."""
    records = _records(data_dir, url, public_key, private_key)
    if as_json:
        say_json(records)
    else:
        say_table(HEADS, [_row(record) for record in records])


@app.command()
def show(
    name: Name,
    data_dir: DataDir = None,
    url: Url = None,
    public_key: PublicKey = None,
    private_key: PrivateKey = None,
    as_json: AsJson = False,
) -> None:
    """What a style keeps."""
    record = _one(name, _records(data_dir, url, public_key, private_key))
    if as_json:
        say_json(record)
        return
    for field, value in record.items():
        say(f"{field}: {value}")


@app.command("export")
def export(
    name: Name,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The file to write.", show_default="NAME.style.zip"),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write over a file that is there.")] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Write a style into a file, for another data folder or another person."""
    from restyle.styles.bundle import SUFFIX, to_bundle

    folder, _ = _folder(data_dir)
    path = output or Path(f"{name}{SUFFIX}")
    data = to_bundle(folder.find(name, field="name"))
    if path.exists() and not overwrite:
        raise typer.BadParameter(f"{shown(path)} is there; give another --output, or --overwrite")
    path.write_bytes(data)
    if as_json:
        say_json({"StyleCode": name, "File": str(path)})
    else:
        say(shown(path))


@app.command("import")
def import_style(
    file: Annotated[Path, typer.Argument(help="A file that export wrote.", show_default=False)],
    name: Annotated[str | None, typer.Option("--name", help="Another name for it.", show_default="its own")] = None,
    overwrite: Overwrite = False,
    data_dir: DataDir = None,
    url: Url = None,
    public_key: PublicKey = None,
    private_key: PrivateKey = None,
    as_json: AsJson = False,
) -> None:
    """Keep a style that was exported."""
    from dataclasses import replace

    from restyle.conversion.options import over
    from restyle.styles.bundle import from_bundle

    folder, limits = _folder(data_dir)
    style = from_bundle(file.read_bytes(), limits, field=shown(file))
    if name is not None:
        style = replace(style, code=name, name=name)
    if url:
        with _client(url, public_key, private_key) as client:
            _refuse_taken(client, style.code, overwrite)
            client.save_style(style.code, style.picture, **over({}, style.settings))
    else:
        folder.add(style, overwrite=overwrite)
    _say_kept(style.code, as_json)


@app.command()
def remove(
    name: Name,
    data_dir: DataDir = None,
    url: Url = None,
    public_key: PublicKey = None,
    private_key: PrivateKey = None,
    as_json: AsJson = False,
) -> None:
    """Forget a style and its picture."""
    if url:
        with _client(url, public_key, private_key) as client:
            client.delete_style(name)
    else:
        _folder(data_dir)[0].remove(name)
    if as_json:
        say_json({"StyleCode": name, "Removed": True})
    else:
        say(f"{name} is removed")


def _folder(data_dir: Path | None) -> "tuple[StyleFolder, Limits]":
    from restyle.images.limits import Limits
    from restyle.styles.folder import StyleFolder

    settings: Settings = read_settings(data_dir=data_dir)
    say_folder(settings)
    limits = Limits.of(settings)
    return StyleFolder(settings.data_dir, limits), limits


@contextmanager
def _client(url: str, public_key: str | None, private_key: str | None) -> "Iterator[Client]":
    from restyle.client.sync import Client

    with Client(url, *need_keys(public_key, private_key)) as client:
        yield client


def _records(
    data_dir: Path | None, url: str | None, public_key: str | None, private_key: str | None
) -> list[dict[str, Any]]:
    """Each style in the wire's words, what it does not keep left out."""
    if url:
        with _client(url, public_key, private_key) as client:
            return [_record_of_service(style) for style in client.styles()]
    return [_record(style) for style in _folder(data_dir)[0].all()]


def _record(style: "KeptStyle") -> dict[str, Any]:
    from restyle.conversion.style import wire_fields

    return {
        "StyleCode": style.code,
        "Name": style.name,
        "IsOfficial": style.is_official,
        "PictureBytes": len(style.picture),
        **wire_fields(style.settings),
    }


def _record_of_service(style: "Style") -> dict[str, Any]:
    from restyle.conversion.style import wire_fields

    return {
        "StyleCode": style.code,
        "Name": style.name,
        "IsOfficial": style.is_official,
        **wire_fields(style.settings),
    }


def _one(name: str, records: list[dict[str, Any]]) -> dict[str, Any]:
    from restyle.wire.codes import Code
    from restyle.wire.errors import RestyleError

    for record in records:
        if record["StyleCode"] == name:
            return record
    raise RestyleError(
        Code.STYLE_NOT_FOUND, f'there is no style "{name}"; `restyle styles list` shows those there are', field="name"
    )


def _row(record: dict[str, Any]) -> tuple[object, ...]:
    said = ("StyleCode", "Name", "IsOfficial", "PictureBytes", "StyleReferStrength", "MainModel")
    return (
        record["StyleCode"],
        "yes" if record["IsOfficial"] else "-",
        record.get("StyleReferStrength", "-"),
        record.get("MainModel", {}).get("ModelCode", "-"),
        ", ".join(field for field in record if field not in said) or "-",
    )


def _refuse_taken(client: "Client", name: str, overwrite: bool) -> None:
    if not overwrite and any(style.code == name for style in client.styles()):
        raise typer.BadParameter(f"the style {name} is kept already; give another name, or --overwrite")


def _say_kept(name: str, as_json: bool) -> None:
    if as_json:
        say_json({"StyleCode": name, "Kept": True})
    else:
        say(f'{name} is kept; use it with: restyle convert PHOTOGRAPH --style "{name}"')
