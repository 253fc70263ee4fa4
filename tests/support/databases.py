"""Empty databases for tests: SQLite always, PostgreSQL where its server is installed.

What is no test of how they come to be is given one that has today's tables: making them takes a tenth of a second.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from uuid import uuid4

import sqlalchemy as sa


def postgres_bin() -> Path | None:
    """The folder of PostgreSQL's server programs, None where it is not installed."""
    on_path = shutil.which("initdb")
    found = [Path(on_path).parent] if on_path else []
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    return next((folder for folder in found if (folder / "postgres").exists()), None)


KINDS = ["sqlite", "postgresql"] if postgres_bin() else ["sqlite"]
"""The databases that tests of the durable side run on."""


TEMPLATE = "restyle_template"


@cache
def _tables() -> bytes:
    from restyle.database import open_database

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "restyle.sqlite3"
        open_database(f"sqlite:///{path}").dispose()
        return path.read_bytes()


def sqlite_database(path: Path) -> str:
    """The URL of a database with today's tables and nothing in them, as Restyle would make it at ``path``."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(_tables())
    return f"sqlite:///{path}"


class PostgresServer:
    """A server of our own on a Unix socket, that can be stopped and started again.

    It refuses to run as root, so root becomes another.
    """

    def __init__(self, folder: Path) -> None:
        programs = postgres_bin()
        assert programs is not None
        self._programs, self._folder = programs, folder
        self._user: str | None = None
        if os.getuid() == 0:
            self._user = "postgres"
            os.chown(folder, pwd.getpwnam(self._user).pw_uid, -1)
        folder.chmod(0o755)
        self._program("initdb", "-D", self._data, "-U", "restyle", "--auth=trust", "-E", "UTF8", "--no-sync")
        self.url = sa.make_url(f"postgresql://restyle@/postgres?host={folder}")

    @property
    def _data(self) -> str:
        return str(self._folder / "data")

    @property
    def pid(self) -> int:
        """The process that all others of the server come from."""
        return int(Path(self._data, "postmaster.pid").read_text().split()[0])

    def start(self) -> None:
        """Start, and wait until it answers."""
        options = (
            f"-c listen_addresses='' -c unix_socket_directories={self._folder} -c fsync=off -c max_connections=200"
        )
        self._program("pg_ctl", "-D", self._data, "-o", options, "-l", str(self._folder / "log"), "-w", "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stop: ``fast`` ends all connections in order, ``immediate`` is as a crash."""
        self._program("pg_ctl", "-D", self._data, "-m", mode, "-w", "stop")

    def _program(self, *command: str) -> None:
        whole = [str(self._programs / command[0]), *command[1:]]
        subprocess.run(whole, check=True, capture_output=True, cwd=self._folder, user=self._user)


@contextmanager
def postgres_cluster() -> Iterator[sa.URL]:
    """A running server, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="restyle-pg-"))
    server = PostgresServer(folder)
    server.start()
    try:
        yield server.url
    finally:
        server.stop()
        shutil.rmtree(folder)


@contextmanager
def postgres_database(cluster: sa.URL, *, tables: bool = False) -> Iterator[str]:
    """The URL of an empty database in the cluster; with ``tables`` it has today's."""
    from restyle.database import open_database

    name = f"t{uuid4().hex}"
    admin = sa.create_engine(
        cluster.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT", pool_pre_ping=True
    )
    with admin.connect() as connection:
        known = sa.text(f"SELECT 1 FROM pg_database WHERE datname = '{TEMPLATE}'")
        if tables and connection.execute(known).scalar() is None:
            connection.execute(sa.text(f"CREATE DATABASE {TEMPLATE}"))
            open_database(cluster.set(database=TEMPLATE).render_as_string(hide_password=False)).dispose()
        connection.execute(sa.text(f"CREATE DATABASE {name}" + (f" TEMPLATE {TEMPLATE}" if tables else "")))
    try:
        yield cluster.set(database=name).render_as_string(hide_password=False)
    finally:
        with admin.connect() as connection:
            connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
        admin.dispose()
