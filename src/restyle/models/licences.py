"""The licences that an operator accepted, remembered so that each is asked about once."""

import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import tomli_w

from restyle.models.files.part import held, writing
from restyle.private import make_data_folder
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError


@dataclass(frozen=True, slots=True, order=True)
class Licence:
    """A licence under which a repository gives its files; ``page`` shows it."""

    repository: str
    name: str
    page: str


def not_accepted(data_dir: Path, licences: Collection[Licence]) -> list[Licence]:
    """Those of ``licences`` that nobody accepted here yet, each once, in order."""
    accepted = _read(_file(data_dir))
    return sorted({each for each in licences if accepted.get(each.repository) != each.name})


def accept(data_dir: Path, licences: Collection[Licence]) -> None:
    """Remember that these were accepted."""
    if not licences:
        return
    path = _file(data_dir)
    make_data_folder(data_dir)
    with held(path), writing(path):
        accepted = {**_read(path), **{each.repository: each.name for each in licences}}
        fresh = path.with_suffix(".new")
        fresh.write_text(tomli_w.dumps({"accepted": accepted}), encoding="utf-8")
        fresh.replace(path)


def _file(data_dir: Path) -> Path:
    return data_dir / "models" / "licences.toml"


def _read(path: Path) -> dict[str, str]:
    try:
        with path.open("rb") as file:
            accepted = tomllib.load(file).get("accepted", {})
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise RestyleError(
            Code.INTERNAL_ERROR, f"{path} cannot be read: {error}; delete it to be asked anew"
        ) from error
    return {str(repository): str(name) for repository, name in accepted.items()}
