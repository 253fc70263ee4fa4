"""Installed languages: a folder each under ``languages`` of the data folder, checked before it gets there."""

import hashlib
import json
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from restyle.private import make_data_folder
from restyle.prompts.codes import ENGLISH, TRANSLATED
from restyle.prompts.neural import ARGOS_PIECES, MARIAN_SOURCE, MARIAN_TARGET, MODEL_FOLDER, BackendError, Neural
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

RECORD = "installed.json"
MIB = 1024 * 1024
MOST_FILES = 1000
MOST_BYTES = 2048 * MIB
"""Largest package when unpacked; the large Argos ones take 300 MiB."""

MOST_RATIO = 100
"""Most a member may expand. Weights hardly compress at all."""

_CHUNK = MIB
_WANTED = (ARGOS_PIECES, MARIAN_SOURCE, MARIAN_TARGET)
_MODEL_FILES = frozenset(
    {"model.bin", "config.json", "shared_vocabulary.json", "shared_vocabulary.txt"}
    | {f"{side}_vocabulary.{ending}" for side in ("source", "target") for ending in ("json", "txt")}
)


@dataclass(frozen=True, slots=True)
class Installed:
    """What is known of an installed language; ``sha256`` is of the archive, or of a folder's files in order of name."""

    code: str
    kind: Literal["argos", "marian"]
    version: str
    source: str
    sha256: str
    bytes: int


def languages_dir(data_dir: Path) -> Path:
    """Where installed languages are."""
    return data_dir / "languages"


def installed_folder(data_dir: Path, code: str) -> Path | None:
    """The folder of an installed language, None where it is not."""
    folder = languages_dir(data_dir) / code
    return folder if (folder / RECORD).is_file() else None


def installed(data_dir: Path) -> list[Installed]:
    """All installed languages, by code."""
    folders = filter(None, (installed_folder(data_dir, code) for code in TRANSLATED))
    return [Installed(**json.loads((folder / RECORD).read_text(encoding="utf-8"))) for folder in folders]


def remove(data_dir: Path, code: str) -> None:
    """Delete an installed language. Raises RestyleError (230) where it is not installed."""
    folder = installed_folder(data_dir, code)
    if folder is None:
        raise _refused(f"{code} is not installed; `restyle languages list` shows what is")
    shutil.rmtree(folder)


def install(data_dir: Path, path: Path, code: str = "", *, source: str = "") -> Installed:
    """Install an Argos package (archive or folder) or a Marian folder converted for CTranslate2.

    An Argos package says its language; for Marian ``code`` must. The files are copied, never run; the model is loaded
    and translates a word before the language counts as installed, and takes the place of an earlier one at once.
    Raises RestyleError (230) with the reason where ``path`` is no such package or cannot be trusted.
    """
    make_data_folder(data_dir)
    languages_dir(data_dir).mkdir(mode=0o700, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=languages_dir(data_dir), prefix=".new-") as folder:
        new = Path(folder) / "package"
        (new / MODEL_FOLDER).mkdir(parents=True)
        if path.is_dir():
            metadata, digest = _copy_folder(path, new)
        elif path.is_file():
            metadata, digest = _unpack(path, new)
        else:
            raise _refused(f"{path} is neither a file nor a folder")
        record = _checked(new, metadata, code, source or path.name, digest)
        (new / RECORD).write_text(json.dumps(asdict(record)), encoding="utf-8")
        target = languages_dir(data_dir) / record.code
        if target.exists():
            target.rename(Path(folder) / "old")
        new.rename(target)
    return record


def _checked(new: Path, metadata: dict[str, Any], code: str, source: str, digest: str) -> Installed:
    marian = (new / MARIAN_SOURCE).is_file() and (new / MARIAN_TARGET).is_file()
    if not marian and not (new / ARGOS_PIECES).is_file():
        raise _refused(
            f"{source} has neither {ARGOS_PIECES} (Argos) nor {MARIAN_SOURCE} and {MARIAN_TARGET} (Marian);"
            " packages with other vocabularies cannot be used"
        )
    if not (new / MODEL_FOLDER / "model.bin").is_file():
        raise _refused(f"{source} has no CTranslate2 model (model.bin)")
    if not marian:
        if not metadata:
            raise _refused(f"{source} has no metadata.json")
        if metadata.get("to_code") != ENGLISH:
            raise _refused(f"{source} translates into {metadata.get('to_code')!r}; only packages into English are used")
        if code and metadata.get("from_code") != code:
            raise _refused(f"{source} translates from {metadata.get('from_code')!r}, not from {code}")
        code = str(metadata.get("from_code"))
    if code not in TRANSLATED:
        raise _refused(f"say the language that {source} translates from: one of {', '.join(TRANSLATED)}")
    try:
        Neural(new).check()
    except BackendError as error:
        raise _refused(f"the model of {source} does not run: {error}") from error
    size = sum(file.stat().st_size for file in new.rglob("*") if file.is_file())
    version = str(metadata.get("package_version", ""))[:40]
    return Installed(code, "marian" if marian else "argos", version, source, digest, size)


def _wanted(name: PurePosixPath) -> str | None:
    """Where a file of a package goes, None for the rest of it (sentence splitters, readme)."""
    if name.name in _WANTED:
        return name.name
    return f"{MODEL_FOLDER}/{name.name}" if name.name in _MODEL_FILES else None


def _copy_folder(folder: Path, new: Path) -> tuple[dict[str, Any], str]:
    metadata: dict[str, Any] = {}
    digest = hashlib.sha256()
    left = MOST_BYTES
    for path in _files(folder):
        name = PurePosixPath(path.relative_to(folder).as_posix())
        target = _wanted(name)
        if name.name == "metadata.json":
            metadata = _metadata(path.read_bytes())
        if target is None:
            continue
        digest.update(target.encode())
        with path.open("rb") as source:
            left -= _copy(source, new / target, left, digest)
    return metadata, digest.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    """The files at ``folder``'s top and of its folder ``model``, by name. Symbolic links are refused."""
    found: list[Path] = []
    for parent in (folder, folder / MODEL_FOLDER):
        if parent.is_symlink():
            raise _refused(f"{parent.name} is a symbolic link; packages must hold their files themselves")
        found += sorted(parent.iterdir()) if parent.is_dir() else []
    for path in found:
        if path.is_symlink():
            raise _refused(f"{path.name} is a symbolic link; packages must hold their files themselves")
        if path.is_file():
            yield path


def _unpack(archive: Path, new: Path) -> tuple[dict[str, Any], str]:
    metadata: dict[str, Any] = {}
    left = MOST_BYTES
    try:
        with zipfile.ZipFile(archive) as package:
            for info in _members(package, archive.name):
                name = PurePosixPath(info.filename)
                if name.name == "metadata.json" and len(name.parts) <= 2:
                    if info.file_size > MIB:
                        raise _refused(f"metadata.json of {archive.name} is larger than 1 MiB")
                    metadata = _metadata(package.read(info))
                elif len(name.parts) <= 3 and (target := _wanted(name)):
                    with package.open(info) as source:
                        left -= _copy(source, new / target, left)
    except (zipfile.BadZipFile, NotImplementedError, EOFError) as error:
        raise _refused(f"{archive.name} is not a package: {error}") from error
    with archive.open("rb") as file:
        return metadata, hashlib.file_digest(file, "sha256").hexdigest()


def _members(package: zipfile.ZipFile, archive: str) -> list[zipfile.ZipInfo]:
    """The members, after all of them were found harmless."""
    members = package.infolist()
    if len(members) > MOST_FILES:
        raise _refused(f"{archive} holds {len(members)} files; at most {MOST_FILES} are allowed")
    for info in members:
        name = info.filename
        if name.startswith(("/", "\\")) or ":" in name or "\\" in name or ".." in PurePosixPath(name).parts:
            raise _refused(f"{archive} holds a file that would land outside of its folder: {name!r}")
        if stat.S_ISLNK(info.external_attr >> 16):
            raise _refused(f"{archive} holds a symbolic link: {name!r}")
        if info.file_size > MIB and info.file_size > MOST_RATIO * max(info.compress_size, 1):
            raise _refused(f"{archive} expands {name!r} more than {MOST_RATIO} times")
        if info.flag_bits & 1:
            raise _refused(f"{archive} is encrypted")
    if sum(info.file_size for info in members) > MOST_BYTES:
        raise _refused(f"{archive} is larger than {MOST_BYTES // MIB} MiB when unpacked")
    return [info for info in members if not info.is_dir()]


def _copy(source: Any, target: Path, left: int, digest: Any = None) -> int:
    """Copy at most ``left`` bytes, whatever a header promised; the count. Raises RestyleError where there are more."""
    if target.exists():
        raise _refused(f"the package holds {target.name} twice")
    count = 0
    with target.open("xb") as file:
        while chunk := source.read(_CHUNK):
            count += len(chunk)
            if count > left:
                raise _refused(f"the package is larger than {MOST_BYTES // MIB} MiB when unpacked")
            file.write(chunk)
            if digest is not None:
                digest.update(chunk)
    return count


def _metadata(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except ValueError as error:
        raise _refused(f"metadata.json is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise _refused("metadata.json is not an object")
    return found


def _refused(message: str) -> RestyleError:
    return RestyleError(Code.PARAMETER_NOT_AVAILABLE, message)
