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

import httpx
import numpy as np
import psutil

from restyle.conversion.draw import Drawer
from restyle.conversion.models import missing_libraries
from restyle.conversion.plan import Pictures, plan
from restyle.conversion.request import Conversion
from restyle.engines.families import FAMILIES
from restyle.models.catalogue import Catalogue, Entry
from restyle.models.kinds import Kind
from restyle.models.scan import size_of
from restyle.settings import MIB, Settings
from restyle.wire.errors import RestyleError

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
        _catalogue,
        _engine,
        _data_folder,
        _key_file,
        _database,
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
        version = str(import_module(module).__version__)
    except (ImportError, OSError, AttributeError) as error:
        yield _finding(module, False, f"does not import: {error}", f"pip install --force-reinstall {module}")
    else:
        yield _finding(module, True, version)


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
    writable = os.access(place, os.W_OK | os.X_OK)
    state = "exists" if place == folder else "will be made at the first start"
    mend = f"chown {os.getuid()} {place}, or set RESTYLE_DATA_DIR to another folder"
    yield _finding("data folder", writable, f"{folder} {state if writable else 'cannot be written'}", mend)


def _key_file(settings: Settings) -> Iterator[Finding]:
    path = settings.data_dir / "key"
    if not path.exists():
        return
    mode = path.stat().st_mode & 0o777
    yield _finding("key file", mode & 0o077 == 0, f"{path} has mode {mode:04o}", f"chmod 600 {path}")


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
    """Read without a trace: SQLite in read-only mode makes and upgrades nothing."""
    restore = f"stop the service and restore {path} from a backup"
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
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
