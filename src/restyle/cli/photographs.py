"""What of that which is given is to be redrawn, and what is left out and why."""

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import typer

from restyle.cli.output import shown
from restyle.images.structure.read import SUFFIXES

MARK = ".restyled"
"""In the name of every result that was not named by the user; folders are read without them."""


EARLIER = re.compile(re.escape(MARK) + r"(-\d+)?$")
"""What the stem of such a result ends with; those of a batch are numbered."""


@dataclass(frozen=True, slots=True)
class Photograph:
    """A file, and the folder below the given one in which it was found."""

    path: Path
    below: Path = Path()


@dataclass(slots=True)
class Found:
    """``photographs`` in the order given, those of a folder by name; ``left_out`` are sentences, and ``empty`` those of
    the given folders that hold no picture.
    """

    photographs: list[Photograph] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    empty: list[Path] = field(default_factory=list)


def find(given: list[Path], *, recursive: bool = False) -> Found:
    """The files, and of folders the pictures inside, without earlier results; also of theirs where ``recursive``.
    Each once, however often it is given.

    Raises BadParameter for a given folder that cannot be read.
    """
    found = Found()
    seen: set[str] = set()

    def add(photograph: Photograph) -> None:
        name = os.path.abspath(photograph.path)
        if name in seen:
            found.left_out.append(f"{shown(photograph.path)}: given before")
        else:
            found.photographs.append(photograph)
        seen.add(name)

    for path in given:
        if not _is_folder(path):
            add(Photograph(path))
            continue
        inside = list(_inside(path, Path(), recursive, found.left_out))
        if not inside:
            found.empty.append(path)
        for photograph in inside:
            add(photograph)
    return found


def refuse_empty(found: Found, *, recursive: bool) -> None:
    """Raises BadParameter where a given folder holds no picture."""
    for path in found.empty:
        kinds = ", ".join(sorted(SUFFIXES))
        hint = "" if recursive else "; with --recursive the folders in it are read as well"
        raise typer.BadParameter(f"the folder {shown(path)} holds no pictures ({kinds}){hint}")


def _inside(folder: Path, below: Path, recursive: bool, left_out: list[str]) -> Iterator[Photograph]:
    try:
        entries = sorted((folder / below).iterdir())
    except OSError as error:
        if below == Path():
            raise typer.BadParameter(f"the folder {shown(folder)} cannot be read: {reason(error)}") from error
        left_out.append(f"{shown(folder / below)}: cannot be read: {reason(error)}")
        return
    for entry in entries:
        if entry.name.startswith("."):
            left_out.append(f"{shown(entry)}: hidden, as its name begins with a dot")
            continue
        try:
            is_folder = entry.is_dir() and not (recursive and entry.is_symlink())
            is_file = stat.S_ISREG(entry.stat().st_mode)
        except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links, in older Pythons
            left_out.append(f"{shown(entry)}: cannot be read: {reason(error)}")
            continue
        if is_folder and recursive:
            yield from _inside(folder, below / entry.name, recursive, left_out)
        elif entry.is_dir():
            left_out.append(f"{shown(entry)}: a folder" + (" behind a link" if recursive else "; see --recursive"))
        elif not is_file:  # a pipe would be waited for
            left_out.append(f"{shown(entry)}: neither a file nor a folder")
        elif EARLIER.search(entry.stem):
            left_out.append(f"{shown(entry)}: an earlier result")
        elif entry.suffix.lower() not in SUFFIXES:
            left_out.append(f"{shown(entry)}: not named as a picture that can be read")
        else:
            yield Photograph(entry, below)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, RuntimeError):
        return False  # and reading it will say why


def reason(error: Exception) -> str:
    """In the system's words, in lower case."""
    return (getattr(error, "strerror", None) or str(error)).lower()
