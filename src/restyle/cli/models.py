"""``restyle models``: what can draw, and the registering of more."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from restyle.cli import calibrate, sets
from restyle.cli.complete import registered, samplers
from restyle.cli.exits import Exit
from restyle.cli.output import (
    AsJson,
    DataDir,
    PrivateKey,
    PublicKey,
    Url,
    counting,
    need_keys,
    read_settings,
    say_json,
    say_table,
    show_help,
)
from restyle.cli.records import OK, bytes_of, kind_of, of_installation, of_service, record_of

if TYPE_CHECKING:
    from restyle.models.catalogue import Catalogue, Entry
    from restyle.settings import Settings

app = typer.Typer(help="The models that can draw.", invoke_without_command=True)
app.callback()(show_help)

ModelCode = Annotated[
    str, typer.Argument(metavar="CODE", help="The ModelCode.", show_default=False, autocompletion=registered)
]
KINDS = "main, lora, embedding, hypernetwork, vae, ip-adapter, image-encoder or controlnet"


@app.command("list")
def list_models(
    url: Url = None,
    public_key: PublicKey = None,
    private_key: PrivateKey = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """All models, by their ModelCode: this installation's, or those of a service."""
    if url:
        shown = of_service(url, *need_keys(public_key, private_key))
        heads: tuple[str, ...] = ("MODELCODE", "KIND", "OFFICIAL", "NAME")
        rows: list[tuple[str, ...]] = [
            (code, group.removesuffix("Models"), "yes" if model.get("IsOfficial") else "no", model.get("Name", ""))
            for group, models in shown.items()
            for code, model in models.items()
        ]
    else:
        shown = of_installation(read_settings(data_dir=data_dir))
        heads = ("MODELCODE", "KIND", "BASE", "SIZE", "OFFICIAL", "STATE", "NAME")
        rows = [
            (
                code,
                model["Kind"],
                model["Architecture"] or "-",
                bytes_of(model["Size"]),
                "yes" if model["IsOfficial"] else "no",
                model["State"],
                model["Name"],
            )
            for models in shown.values()
            for code, model in models.items()
        ]
    if as_json:
        say_json(shown)
    else:
        say_table(heads, rows)


@app.command("add")
def add(
    path: Annotated[Path, typer.Argument(help="The file or folder.", show_default=False)],
    code: Annotated[str, typer.Option("--code", help="ModelCode by which requests name it. May contain spaces.")],
    name: Annotated[str, typer.Option(help="Name to show; the code if not given.")] = "",
    kind: Annotated[str | None, typer.Option(help=f"What it should be ({KINDS}); refused where it is not.")] = None,
    architecture: Annotated[
        str | None, typer.Option(help="Base model, sd15 or sdxl, where the tensors do not tell it.")
    ] = None,
    trigger: Annotated[list[str] | None, typer.Option(help="Word that wakes it; may be repeated.")] = None,
    steps: Annotated[int | None, typer.Option(help="Default for Steps.")] = None,
    sampler: Annotated[str | None, typer.Option(help="Default for Sampler.", autocompletion=samplers)] = None,
    clip_skip: Annotated[int | None, typer.Option(help="Default for ClipSkip.")] = None,
    cfg_scale: Annotated[float | None, typer.Option(help="Default for CFGScale.")] = None,
    lora_weight: Annotated[float | None, typer.Option(help="Default for LoraWeight.")] = None,
    prediction_type: Annotated[
        str | None, typer.Option(help="epsilon or v_prediction, for a checkpoint whose file does not say it.")
    ] = None,
    control: Annotated[
        str | None,
        typer.Option(help="What a ControlNet is shown: canny, tile, depth, lineart, softedge or openpose."),
    ] = None,
    base: Annotated[str, typer.Option(help="Main model that completes a UNet alone.", autocompletion=registered)] = "",
    negative_prompt: Annotated[
        str, typer.Option("--negative-prompt", help="Negative prompt of a checkpoint, for requests that give none.")
    ] = "",
    recipe: Annotated[
        Path | None,
        typer.Option(help="TOML file of numbers to draw with in place of docs/recipes.md's.", show_default=False),
    ] = None,
    default: Annotated[
        bool, typer.Option("--default", help="Prefer it to others of its kind that requests cannot choose from.")
    ] = False,
    copy: Annotated[bool, typer.Option("--copy", help="Copy it into the data folder; else it stays in place.")] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Register a model. It is checked whole; a running service sees it at once."""
    from restyle.conversion.defaults import checked_defaults, checked_recipe
    from restyle.conversion.rehearsal import rehearsed
    from restyle.models import install
    from restyle.models.catalogue import Catalogue
    from restyle.models.kinds import Architecture, Kind

    settings = read_settings(data_dir=data_dir)
    catalogue = Catalogue.read(settings.data_dir)
    given = {"Steps": steps, "Sampler": sampler, "ClipSkip": clip_skip, "CFGScale": cfg_scale}
    wish = install.Wish(
        code=code,
        name=name,
        kind=None if kind is None else Kind(_one_of("--kind", kind, [*Kind])),
        architecture=None
        if architecture is None
        else Architecture(_one_of("--architecture", architecture, [*Architecture])),
        trigger_words=tuple(trigger or ()),
        defaults={key: value for key, value in (*given.items(), ("LoraWeight", lora_weight)) if value is not None},
        is_default=default,
        copied=copy,
        prediction_type=_one_of("--prediction-type", prediction_type or "", ["", *install.PREDICTIONS]),
        control=_one_of("--control", control or "", ["", *install.CONTROLS]),
        base=base,
        negative_prompt=negative_prompt,
        recipe={} if recipe is None else _recipe_of(recipe),
    )
    with counting("checking", shown=not as_json) as begin:
        entry = install.install(
            catalogue,
            path,
            wish,
            check_defaults=checked_defaults,
            check_recipe=checked_recipe,
            rehearse=rehearsed,
            begin=begin,
        )
    if as_json:
        say_json(record_of(catalogue, entry))
        return
    typer.echo(f'registered "{entry.code}": {kind_of(entry)}, {bytes_of(entry.size)}, SHA-256 {entry.sha256[:16]}...')
    for hint in _hints(catalogue, entry, settings):
        typer.echo(hint)


app.command("install")(sets.install)
app.command("sets")(sets.list_sets)
app.command("calibrate")(calibrate.calibrate)


@app.command("show")
def show(code: ModelCode, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Everything the catalogue holds of one model."""
    from restyle.models.catalogue import Catalogue

    catalogue = Catalogue.read(read_settings(data_dir=data_dir).data_dir)
    record = record_of(catalogue, catalogue.get(code))
    if as_json:
        say_json(record)
        return
    for field, value in record.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key} {each}" for key, each in value.items())
        elif isinstance(value, list):
            value = ", ".join(map(str, value))
        typer.echo(f"{field:<16} {'-' if value in (None, '') else value}")


@app.command("verify")
def verify(
    code: Annotated[
        str | None, typer.Argument(metavar="[CODE]", help="The ModelCode.", autocompletion=registered)
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for the pictures; restyle-verify here if not given.")
    ] = None,
    files_only: Annotated[bool, typer.Option("--files-only", help="Check the files; draw nothing.")] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> int:
    """Check a model's files again, and draw with a main model: time, memory, three strengths, a contact sheet.

    Without CODE the files of all models are checked, and nothing is drawn.
    """
    from restyle.conversion.rehearsal import rehearsed
    from restyle.models.catalogue import Catalogue
    from restyle.models.install import verified
    from restyle.models.kinds import Kind

    settings = read_settings(data_dir=data_dir)
    catalogue = Catalogue.read(settings.data_dir)
    if code is None:
        return _verify_all(catalogue, settings, as_json)
    entry = catalogue.get(code)
    with counting("hashing", shown=not as_json) as begin:
        verified(catalogue, entry, begin(entry.size))
    rehearsed(entry, catalogue)
    report: Mapping[str, Any] = {}
    if entry.kind is Kind.MAIN and not files_only:
        report = _drawn(entry, settings, out or Path("restyle-verify"))
    if as_json:
        say_json({"ModelCode": entry.code, "Files": OK, **report})
        return Exit.DONE
    typer.echo(f"{entry.path}: {kind_of(entry)}, as registered")
    for field, value in report.items():
        typer.echo(f"{field}: {value}")
    return Exit.DONE


def _verify_all(catalogue: "Catalogue", settings: "Settings", as_json: bool) -> int:
    from restyle.conversion.draw import open_registry
    from restyle.models.files.verify import verify as is_right
    from restyle.models.install import verified
    from restyle.wire.errors import RestyleError

    states: dict[str, str] = {}
    for model in open_registry(settings).mains.values():
        weights = model.family.weights
        if weights is not None and model.weights is not None and model.weights.exists():
            with counting(f"hashing {model.code}", shown=not as_json) as begin:
                right = is_right(model.weights, weights.sha256, begin(weights.size))
            install = f"restyle models install {model.family.name}"
            states[model.code] = OK if right else f"{model.weights} is another file, or damaged: {install}"
    for entry in catalogue.entries:
        try:
            with counting(f"hashing {entry.code}", shown=not as_json) as begin:
                verified(catalogue, entry, begin(entry.size))
            states[entry.code] = OK
        except RestyleError as error:
            states[entry.code] = error.message
    if as_json:
        say_json(states)
    else:
        say_table(("MODELCODE", "FILES"), list(states.items()))
    wrong = sum(state != OK for state in states.values())
    return Exit.DONE if not wrong else Exit.MODEL if wrong == len(states) else Exit.SOME_FAILED


@app.command("remove")
def remove(code: ModelCode, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Forget a model. Its file stays, unless it is the copy that --copy made."""
    from restyle.models import install
    from restyle.models.catalogue import Catalogue

    catalogue = Catalogue.read(read_settings(data_dir=data_dir).data_dir)
    entry, changes = install.remove(catalogue, code)
    if as_json:
        say_json({"ModelCode": entry.code, "Changes": changes})
        return
    kept = "" if entry.path.is_relative_to(catalogue.folder) else f"; {entry.path} stays where it is"
    typer.echo(f'"{entry.code}" is no longer registered{kept}')
    for change in changes:
        typer.echo(change)


def _drawn(entry: "Entry", settings: "Settings", out: Path) -> Mapping[str, Any]:
    from restyle.conversion.draw import open_registry
    from restyle.conversion.trial import trial
    from restyle.wire.codes import Code
    from restyle.wire.errors import RestyleError

    if missing := open_registry(settings).mains[entry.code].missing:
        raise RestyleError(
            Code.INTERNAL_ERROR, f"drawing: {missing}; --files-only checks the files without", field="code"
        )
    return trial(entry.code, settings, out)


def _recipe_of(path: Path) -> Mapping[str, Any]:
    import tomllib

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise typer.BadParameter(f"--recipe: {path} is not TOML: {error}") from error


def _one_of(option: str, value: str, known: list[str]) -> str:
    if value not in known:
        raise typer.BadParameter(f"{option} is {value!r}; give one of {', '.join(filter(None, known))}")
    return value


def _hints(catalogue: "Catalogue", entry: "Entry", settings: "Settings") -> Iterator[str]:
    from restyle.conversion.draw import open_registry
    from restyle.models.kinds import Kind

    if left_out := entry.facts.get("left_out"):
        yield f"left out, since no main model has a place for it: {left_out}"
    if entry.kind is Kind.MAIN and (missing := open_registry(settings).mains[entry.code].missing):
        yield f"drawing with it: {missing}"
    if entry.kind is Kind.MAIN and not entry.facts["has_vae"] and not catalogue.default(Kind.VAE, entry.architecture):
        yield "it has no VAE of its own, and none is registered for its base model: register one before drawing"
    if entry.kind is Kind.IP_ADAPTER and catalogue.image_encoder(entry) is None:
        yield f"it is used once an image encoder of width {entry.facts['clip_dim']} is registered"
