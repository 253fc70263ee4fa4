"""Is this installation well? Each check says what it found and, where that is wrong, how to mend it.

Nothing is created or changed: a patient is not operated on while being examined.
"""

import os
import shutil
import socket
import sqlite3
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import numpy as np
import psutil

from restyle.accounts.keys import KeyStore, read_master_key
from restyle.conversion.draw import Drawer
from restyle.conversion.models import missing_libraries
from restyle.conversion.plan import Pictures, plan
from restyle.conversion.request import Conversion
from restyle.engines.families import FAMILIES
from restyle.models.catalogue import Catalogue, Entry
from restyle.models.kinds import Kind
from restyle.models.scan import size_of
from restyle.private import OTHERS, may_be_closed, writable
from restyle.settings import MIB, Settings, unknown_variables
from restyle.storage import PLACES, PROBES, folder_of, open_storage
from restyle.wire.errors import RestyleError

if TYPE_CHECKING:
    import sqlalchemy as sa

PYTHON = (3, 11)
DISK_BYTES = 1024 * MIB
WORKER_BYTES = 700 * MIB
"""What a worker needs for pictures of 1024 x 1024."""


@dataclass(frozen=True, slots=True)
class Finding:
    """``mend`` is empty where ``well`` is true."""

    check: str
    well: bool
    found: str
    mend: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Every check, in the order in which faults hide each other."""
    checks: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
        _python,
        _runtime,
        _variables,
        _catalogue,
        _engine,
        _data_folder,
        _key_file,
        _database,
        _storage,
        _disk,
        _memory,
        _port,
    )
    return [finding for check in checks for finding in check(settings)]


def _python(settings: Settings) -> Iterator[Finding]:
    found = ".".join(str(part) for part in sys.version_info[:3])
    wanted = ".".join(str(part) for part in PYTHON)
    yield _finding(
        "Python", sys.version_info >= PYTHON, found, f"install Python {wanted} or newer, and Restyle into it"
    )


def _runtime(settings: Settings) -> Iterator[Finding]:
    module = "openvino"
    if find_spec(module) is None:
        yield _finding(module, False, "not installed", f"pip install {module}")
        return
    try:
        version = str(import_module("restyle.images.runtime").ov.__version__)
    except (ImportError, OSError, AttributeError) as error:
        yield _finding(module, False, f"does not import: {error}", f"pip install --force-reinstall {module}")
    else:
        yield _finding(module, True, version)


def _variables(settings: Settings) -> Iterator[Finding]:
    """Variables that nobody reads: most are misspelt settings."""
    unknown = unknown_variables(os.environ)
    for name, like in unknown.items():
        mend = f"unset {name}" + (f", or write {like}" if like else "")
        yield _finding(f"variable {name}", False, "is no setting, and has no effect", mend)
    if not unknown:
        yield _finding("variables", True, "all known")


def _catalogue(settings: Settings) -> Iterator[Finding]:
    """The registered models: their files, and what they need beside them."""
    try:
        catalogue = Catalogue.read(settings.data_dir)
    except RestyleError as error:
        yield _finding("catalogue", False, error.message, "correct the file, or restore it from a backup")
        return
    architectures = {entry.architecture for entry in catalogue.of(Kind.MAIN)}
    for family in FAMILIES:
        if family.architectures & architectures:
            lacking = missing_libraries(family)
            found = f"{', '.join(lacking)} not installed" if lacking else "installed"
            yield _finding(family.name, not lacking, found, family.install)
    for entry in catalogue.entries:
        yield _model(catalogue, entry)


def _model(catalogue: Catalogue, entry: Entry) -> Finding:
    check = f"model {entry.code}"
    mend = f'restore the file, or `restyle models remove "{entry.code}"` and add it again'
    if not entry.path.exists():
        return _finding(check, False, f"{entry.path} is missing", mend)
    try:
        size = size_of(entry.path)
    except (RestyleError, OSError) as error:
        return _finding(check, False, str(error), mend)
    if size != entry.size:
        return _finding(check, False, f"{entry.path} has {size:,} bytes; {entry.size:,} were registered", mend)
    if entry.kind is Kind.IP_ADAPTER and catalogue.image_encoder(entry) is None:
        width = entry.facts["clip_dim"]
        return _finding(
            check, False, f"no image encoder of width {width} is registered", "restyle models add its image encoder"
        )
    return _finding(check, True, f"{entry.path}, {size:,} bytes")


def _engine(settings: Settings) -> Iterator[Finding]:
    """Draw one small picture with every engine of the official models."""
    try:
        drawer = Drawer(settings, own_process=True)
    except (RestyleError, ImportError, AttributeError) as error:
        yield _finding(
            "models", False, f"{settings.registry}: {error}", "unset RESTYLE_REGISTRY, or name module:function"
        )
        return
    raw = np.full((64, 64, 3), 128, np.uint8)
    official = [model for model in drawer.registry.mains.values() if model.is_official]
    for model in official:
        if absence := model.absence():
            yield _finding(f"model {model.code}", True, absence)
    mend = "pip install --force-reinstall restyle"
    for name, code in {model.family.name: model.code for model in official if not model.absence()}.items():
        try:
            conversion = Conversion.read({"model": {"code": code}, "strength": 1.0, "seed": 0})
            planned = plan(conversion, drawer.registry, Pictures("raw", "style", (64, 64)))
            drawn = [image.shape for image, _ in drawer.drawing(planned, raw, (raw,)).images(lambda fraction: None)]
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
            yield _finding(f"engine {name}", False, f"{type(error).__name__}: {error}", mend)
        else:
            yield _finding(f"engine {name}", drawn == [raw.shape], "draws", mend)


def _data_folder(settings: Settings) -> Iterator[Finding]:
    folder = settings.data_dir.absolute()
    place = folder
    while not place.exists():
        place = place.parent
    if not place.is_dir():
        yield _finding("data folder", False, f"{place} is a file", "set RESTYLE_DATA_DIR to a folder")
        return
    if not writable(place):
        mend = f"chown {os.geteuid()} {place}, or set RESTYLE_DATA_DIR to another folder"
        yield _finding("data folder", False, f"{folder} cannot be written", mend)
        return
    if place != folder:
        yield _finding("data folder", True, f"{folder} will be made at the first start")
        return
    mode = place.stat().st_mode & 0o777
    # What the next start closes by itself is well.
    closed = not mode & OTHERS or may_be_closed(place.stat(), set(os.listdir(place)))
    found = f"{folder} exists" if closed else f"{folder} has mode {mode:04o}, so that others may look into it"
    yield _finding("data folder", closed, found, f"chmod 700 {folder}")


def _key_file(settings: Settings) -> Iterator[Finding]:
    """Whether it is one, its owner's alone, and the one that sealed the keys in the database."""
    path = settings.data_dir / "key"
    try:
        if path.exists():
            read_master_key(path)
        if (db := _keys_database(settings)) is not None:
            try:
                KeyStore(db, path)
            finally:
                db.dispose()
    except (RestyleError, PermissionError) as error:
        found, _, mend = str(error).partition("; ")
        yield _finding("key file", False, found, mend.removeprefix("mend it with: ") or f"chown {os.geteuid()} {path}")
        return
    if path.exists():
        yield _finding("key file", True, f"{path} has mode {path.stat().st_mode & 0o777:04o}")


def _keys_database(settings: Settings) -> "sa.Engine | None":
    """The database with keys in it, only to be read; None where there is none, or what is wrong is its own finding."""
    import sqlalchemy as sa

    from restyle.database import keys, open_database, reading

    path = settings.data_dir / "restyle.sqlite3"
    try:
        if settings.database_url:
            db = open_database(settings.database_url)
        elif path.exists():
            db = sa.create_engine("sqlite://", creator=lambda: _read_only(path))
        else:
            return None
        with reading(db) as connection:
            return db if connection.execute(sa.select(sa.func.count()).select_from(keys)).scalar_one() else None
    except (RestyleError, sa.exc.SQLAlchemyError):
        return None


def _read_only(path: Path) -> sqlite3.Connection:
    """In this mode SQLite makes and upgrades nothing."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)


def _database(settings: Settings) -> Iterator[Finding]:
    if settings.database_url:
        from restyle.database import open_database

        try:
            open_database(settings.database_url).dispose()
        except (RestyleError, OSError) as error:
            yield _finding("database", False, str(error), "correct RESTYLE_DATABASE_URL, or start the database")
        else:
            yield _finding("database", True, "opens, and is up to date")
        return
    path = settings.data_dir / "restyle.sqlite3"
    if not path.exists():
        yield _finding("database", True, "will be made at the first start")
        return
    yield _sqlite(path)


def _sqlite(path: Path) -> Finding:
    """Read without a trace."""
    restore = f"stop the service and restore {path} from a backup"
    try:
        connection = _read_only(path)
        try:
            damage = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            revisions = {row[0] for row in connection.execute("SELECT version_num FROM alembic_version")}
        finally:
            connection.close()
    except sqlite3.Error as error:
        return _finding("database", False, f"{path}: {error}", restore)
    if damage != "ok":
        return _finding("database", False, f"{path} is damaged: {damage}", restore)
    known = _revisions()
    found = f"revision {', '.join(sorted(revisions))}"
    if not revisions <= set(known):
        return _finding("database", False, f"{found} of a newer Restyle", "pip install --upgrade restyle")
    state = "up to date" if known[0] in revisions else "older; the next start brings it up to date"
    return _finding("database", True, f"{found}, {state}")


def _revisions() -> list[str]:
    """The revisions this Restyle knows, newest first."""
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", "restyle:migrations")
    return [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]


def _storage(settings: Settings) -> Iterator[Finding]:
    """Whether images can be kept: a folder that can be written, or an object store that answers."""
    folder = folder_of(settings)
    if folder is None:
        try:
            list(open_storage(settings).names(PROBES))
        except RestyleError as error:
            mend = "correct RESTYLE_STORAGE_URL and its credentials, or start the object store"
            yield _finding("storage", False, error.message, mend)
        else:
            yield _finding("storage", True, f"{settings.storage_url} answers")
        return
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    closed = [each for each in (place, *(folder / name for name in PLACES)) if each.exists() and not _usable(each)]
    if closed:
        mend = f"chown {os.geteuid()} {closed[0]}, or set RESTYLE_STORAGE_URL to another place"
        yield _finding("storage", False, f"{closed[0]} is no folder that can be written", mend)
        return
    yield _finding("storage", True, f"{folder} " + ("exists" if place == folder else "will be made at the first start"))


def _usable(folder: Path) -> bool:
    return folder.is_dir() and writable(folder)


def _disk(settings: Settings) -> Iterator[Finding]:
    place = settings.data_dir.absolute()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    yield _finding(
        "disk", free >= DISK_BYTES, f"{free / MIB:,.0f} MiB free at {place}", "free 1 GiB, or move the data folder"
    )


def _memory(settings: Settings) -> Iterator[Finding]:
    free = psutil.virtual_memory().available
    wanted = settings.workers * WORKER_BYTES
    mend = f"{settings.workers} workers want {wanted / MIB:,.0f} MiB; set RESTYLE_WORKERS lower, or end other programs"
    yield _finding("memory", free >= wanted, f"{free / MIB:,.0f} MiB available", mend)


def _port(settings: Settings) -> Iterator[Finding]:
    where = f"{settings.host}:{settings.port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
    except OSError as error:
        if _answers(settings):
            yield _finding("port", True, f"a Restyle service answers at {where}")
            return
        reason = (error.strerror or str(error)).lower()
        yield _finding("port", False, f"{where}: {reason}", "set RESTYLE_PORT or RESTYLE_HOST to one that is free")
    else:
        yield _finding("port", True, f"{where} is free")


def _answers(settings: Settings) -> bool:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    try:
        answer = httpx.get(f"http://{host}:{settings.port}/healthz", timeout=2, trust_env=False)
        return answer.status_code == 200 and answer.json().get("RetCode") == 0
    except (httpx.HTTPError, ValueError, AttributeError):
        return False


def _finding(check: str, well: bool, found: str, mend: str = "") -> Finding:
    return Finding(check, well, found, "" if well else mend)
