"""Empty databases for tests: SQLite always, PostgreSQL where its server is installed."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def postgres_cluster() -> Iterator[sa.URL]:
    """A server of our own on a Unix socket, gone afterwards. It refuses to run as root, so root becomes another."""
    folder = Path(tempfile.mkdtemp(prefix="restyle-pg-"))
    programs = postgres_bin()
    assert programs is not None
    user: str | None = None
    if os.getuid() == 0:
        user = "postgres"
        os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
    folder.chmod(0o755)

    def program(*command: str) -> None:
        subprocess.run([programs / command[0], *command[1:]], check=True, capture_output=True, cwd=folder, user=user)

    data = str(folder / "data")
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off -c max_connections=200"
    program("initdb", "-D", data, "-U", "restyle", "--auth=trust", "-E", "UTF8", "--no-sync")
    program("pg_ctl", "-D", data, "-o", options, "-l", str(folder / "log"), "-w", "start")
    try:
        yield sa.make_url(f"postgresql://restyle@/postgres?host={folder}")
    finally:
        program("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder)


@contextmanager
def postgres_database(cluster: sa.URL) -> Iterator[str]:
    """The URL of an empty database in the cluster."""
    name = f"t{uuid4().hex}"
    admin = sa.create_engine(cluster.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    try:
        yield cluster.set(database=name).render_as_string(hide_password=False)
    finally:
        with admin.connect() as connection:
            connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
        admin.dispose()
