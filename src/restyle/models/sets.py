"""Starter sets: models that draw well together, as data. One TOML file comes along; an operator may add others."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from restyle.models.kinds import Architecture, Kind
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

SHIPPED = Path(__file__).with_name("sets.toml")
OWN = Path("models", "sets")
"""Where in the data folder an operator's own are: every ``.toml`` file there."""

Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SetFile(_Table):
    """A file of a repository: where in it, how many bytes (``about`` where nobody said exactly), and its SHA-256."""

    path: Text
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    bytes: Annotated[int | None, Field(gt=0)] = None
    about: Annotated[int, Field(gt=0)] = 1

    @model_validator(mode="after")
    def _check(self) -> "SetFile":
        path = PurePosixPath(self.path)
        if path.is_absolute() or ".." in path.parts or "\\" in self.path:
            raise ValueError(f"path {self.path!r} leads out of the repository")
        if self.bytes is None and "about" not in self.model_fields_set:
            raise ValueError(f"{self.path} has neither bytes nor about (bytes that are only about known)")
        return self

    @property
    def size(self) -> int:
        """Bytes, or about as many."""
        return self.bytes or self.about


class SetModel(_Table):
    """A model of a set: one file, or the files of a folder in the form of diffusers (the folder is what they share).

    The other fields are those of ``restyle models add``.
    """

    name: Text
    kind: Kind
    architecture: Architecture | None = None
    repository: Annotated[str, StringConstraints(pattern=r"^[\w.-]+/[\w.-]+$")]
    revision: Text = "main"
    """A commit; where nobody said which, the branch whose newest is fetched."""
    licence: Text
    licence_page: str = ""
    control: Literal["", "canny", "tile", "depth", "lineart", "softedge", "openpose"] = ""
    prediction_type: Literal["", "epsilon", "v_prediction"] = ""
    trigger_words: tuple[str, ...] = ()
    negative_prompt: str = ""
    defaults: Mapping[str, Any] = Field(default_factory=dict)
    recipe: Mapping[str, Any] = Field(default_factory=dict)
    files: Annotated[tuple[SetFile, ...], Field(min_length=1)]

    @property
    def size(self) -> int:
        """Bytes of all files, or about as many."""
        return sum(file.size for file in self.files)

    @property
    def is_pinned(self) -> bool:
        """Whether the revision is a commit, which stays what it is; else the hash alone tells a file that changed."""
        return re.fullmatch(r"[0-9a-f]{7,64}", self.revision) is not None

    @property
    def root(self) -> PurePosixPath:
        """What of the repository becomes the model: its one file, or the folder that all files share."""
        paths = [PurePosixPath(file.path) for file in self.files]
        if len(paths) == 1:
            return paths[0]
        shared = paths[0].parent
        while not all(path.is_relative_to(shared) for path in paths):
            shared = shared.parent
        return shared


class _Set(_Table):
    title: Text
    main: str = ""
    models: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> "_Set":
        if not self.main and not self.models:
            raise ValueError("it has neither a main model nor models")
        return self


class _File(_Table):
    set: Mapping[str, _Set] = Field(default_factory=dict)
    model: Mapping[str, SetModel] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StarterSet:
    """``models`` by code, in the order in which they are registered; ``main`` is the code of the one that draws."""

    name: str
    title: str
    main: str
    models: Mapping[str, SetModel]

    @property
    def size(self) -> int:
        """Bytes of all files, or about as many."""
        return sum(model.size for model in self.models.values())


def starter_sets(data_dir: Path) -> dict[str, StarterSet]:
    """The sets there are, by name: those that come along, and those of the operator, which win.

    Raises RestyleError (5000) for a file that is none, with what is wrong in it.
    """
    models: dict[str, SetModel] = {}
    sets: dict[str, tuple[Path, _Set]] = {}
    for path in (SHIPPED, *sorted((data_dir / OWN).glob("*.toml"))):
        found = _read(path)
        models |= found.model
        sets |= {name: (path, each) for name, each in found.set.items()}
    return {name: _put_together(path, name, each, models) for name, (path, each) in sets.items()}


def _put_together(path: Path, name: str, found: _Set, models: Mapping[str, SetModel]) -> StarterSet:
    codes = [*([found.main] if found.main else []), *found.models]
    for code in codes:
        if code not in models:
            raise _broken(path, f'set.{name} names the model "{code}", which no file describes')
        if (models[code].kind is Kind.MAIN) is not (code == found.main):
            raise _broken(path, f"set.{name}: only its main model is of kind main, and {code} is {models[code].kind}")
    return StarterSet(name, found.title, found.main, {code: models[code] for code in codes})


def _read(path: Path) -> _File:
    try:
        with path.open("rb") as file:
            return _File.model_validate(tomllib.load(file))
    except OSError as error:
        raise _broken(path, error.strerror or str(error)) from error
    except ValidationError as error:
        raise _broken(path, "; ".join(_told(error))) from error
    except ValueError as error:
        raise _broken(path, str(error)) from error


def _told(error: ValidationError) -> Iterator[str]:
    for each in error.errors(include_url=False)[:3]:
        yield f"{'.'.join(map(str, each['loc']))}: {each['msg'].removeprefix('Value error, ')}"


def _broken(path: Path, reason: str) -> RestyleError:
    return RestyleError(Code.INTERNAL_ERROR, f"{path} is no file of starter sets: {reason}")
