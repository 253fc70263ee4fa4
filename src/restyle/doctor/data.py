"""Where an installation keeps things: the data folder, its key file, the database, the storage."""

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from restyle.accounts.keys import KeyStore, read_master_key
from restyle.doctor.finding import Finding, finding
from restyle.private import OTHERS, may_be_closed, writable
from restyle.settings import Settings
from restyle.storage import PLACES, PROBES, folder_of, open_storage
from restyle.wire.errors import RestyleError

if TYPE_CHECKING:
    import sqlalchemy as sa


def data_folder(settings: Settings) -> Iterator[Finding]:
    folder = settings.data_dir.absolute()
    place = folder
    while not place.exists():
        place = place.parent
    if not place.is_dir():
        yield finding("data folder", False, f"{place} is a file", "set RESTYLE_DATA_DIR to a folder")
        return
    if not writable(place):
        mend = f"chown {os.geteuid()} {place}, or set RESTYLE_DATA_DIR to another folder"
        yield finding("data folder", False, f"{folder} cannot be written", mend)
        return
    if place != folder:
        yield finding("data folder", True, f"{folder} will be made at the first start")
        return
    mode = place.stat().st_mode & 0o777
    # What the next start closes by itself is well.
    closed = not mode & OTHERS or may_be_closed(place.stat(), set(os.listdir(place)))
    found = f"{folder} exists" if closed else f"{folder} has mode {mode:04o}, so that others may look into it"
    yield finding("data folder", closed, found, f"chmod 700 {folder}")


def key_file(settings: Settings) -> Iterator[Finding]:
    """Whether it is one, its owner's alone, and the one that sealed the keys in the database."""
    path = settings.master_key()
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
        yield finding("key file", False, found, mend.removeprefix("mend it with: ") or f"chown {os.geteuid()} {path}")
        return
    if path.exists():
        yield finding("key file", True, f"{path} has mode {path.stat().st_mode & 0o777:04o}")


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


def database(settings: Settings) -> Iterator[Finding]:
    if settings.database_url:
        from restyle.database import open_database

        try:
            open_database(settings.database_url).dispose()
        except (RestyleError, OSError) as error:
            yield finding("database", False, str(error), "correct RESTYLE_DATABASE_URL, or start the database")
        else:
            yield finding("database", True, "opens, and is up to date")
        return
    path = settings.data_dir / "restyle.sqlite3"
    if not path.exists():
        yield finding("database", True, "will be made at the first start")
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
        return finding("database", False, f"{path}: {error}", restore)
    if damage != "ok":
        return finding("database", False, f"{path} is damaged: {damage}", restore)
    known = _revisions()
    found = f"revision {', '.join(sorted(revisions))}"
    if not revisions <= set(known):
        return finding("database", False, f"{found} of a newer Restyle", "pip install --upgrade restyle")
    state = "up to date" if known[0] in revisions else "older; the next start brings it up to date"
    return finding("database", True, f"{found}, {state}")


def _revisions() -> list[str]:
    """The revisions this Restyle knows, newest first."""
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", "restyle:migrations")
    return [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]


def storage(settings: Settings) -> Iterator[Finding]:
    """Whether images can be kept: a folder that can be written, or an object store that answers."""
    folder = folder_of(settings)
    if folder is None:
        try:
            list(open_storage(settings).names(PROBES))
        except RestyleError as error:
            mend = "correct RESTYLE_STORAGE_URL and its credentials, or start the object store"
            yield finding("storage", False, error.message, mend)
        else:
            yield finding("storage", True, f"{settings.storage_url} answers")
        return
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    closed = [each for each in (place, *(folder / name for name in PLACES)) if each.exists() and not _usable(each)]
    if closed:
        mend = f"chown {os.geteuid()} {closed[0]}, or set RESTYLE_STORAGE_URL to another place"
        yield finding("storage", False, f"{closed[0]} is no folder that can be written", mend)
        return
    yield finding("storage", True, f"{folder} " + ("exists" if place == folder else "will be made at the first start"))


def _usable(folder: Path) -> bool:
    return folder.is_dir() and writable(folder)
