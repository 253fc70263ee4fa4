"""Finding files on this machine by what they hold: in a folder, or in the cache that programs of a hub keep."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from restyle.models.files.adopt import refused
from restyle.models.files.verify import digest

NEARLY = 0.02
"""How far the size of a file may be from what is only about known."""


def find(folder: Path, sizes: Mapping[str, tuple[int | None, int]]) -> dict[str, Path]:
    """Of the files that ``sizes`` names by SHA-256, with size and about size in bytes, those somewhere in ``folder``.

    A file is read only if its size may be right, those first that are named by the hash, as in a hub's cache. Links to
    files are followed, links to folders are not. Raises RestyleError (230) where ``folder`` is none.
    """
    if not folder.is_dir():
        raise refused(f"{folder} is not a folder")
    found: dict[str, Path] = {}
    for path in sorted(_files(folder), key=lambda path: path.name not in sizes):
        size = path.stat().st_size
        missing = [sha256 for sha256, known in sizes.items() if sha256 not in found and _may_be(size, *known)]
        if missing and (sha256 := digest(path)) in missing:
            found[sha256] = path
    return found


def _files(folder: Path) -> Iterator[Path]:
    """Each file once, whatever names lead to it."""
    seen: set[tuple[int, int]] = set()
    for parent, _, names in os.walk(folder):
        for name in sorted(names):
            path = Path(parent, name)
            if path.is_file() and os.access(path, os.R_OK):
                told = path.stat()
                if (told.st_dev, told.st_ino) not in seen:
                    seen.add((told.st_dev, told.st_ino))
                    yield path


def _may_be(size: int, exact: int | None, about: int) -> bool:
    return size == exact if exact is not None else abs(size - about) <= NEARLY * about
