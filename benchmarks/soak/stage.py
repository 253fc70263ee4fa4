"""The two back ends as they are run, with everything about them that can fail within reach."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import sqlalchemy as sa

from restyle.accounts.keys import KeyPair, KeyStore
from restyle.database import open_database
from tests.support.clock import COMPILER, Clocks
from tests.support.databases import PostgresServer, postgres_database
from tests.support.fleet import BUCKET, Member, Town, free_port, s3_environment
from tests.support.mortal import MortalService
from tests.support.patience import wait_for
from tests.support.relay import Relay, StoreRelay

CREDITS = 10_000_000
DISK = "512m"
POSTGRES_CLOCK = "postgres"


class Stage(ABC):
    """A back end at work. ``folder`` is not there at the beginning, nor at the end.

    With ``small_disk`` its records, and pictures kept in a folder, lie on a disk that can be filled.
    """

    name = ""

    def __init__(self, folder: Path, *, small_disk: bool = True, **settings: Any) -> None:
        folder.mkdir(parents=True)
        folder.chmod(0o755)
        self.folder = folder
        self.settings = {"task_attempts": 10, "sweep_seconds": 2, "drain_seconds": 5, "workers": 2, **settings}
        self.machines: list[MortalService] = []
        self.apis: list[MortalService] = []
        self.cleanups = ExitStack()
        self.clocks = Clocks(folder / "clocks") if COMPILER else None
        self._small_disk = small_disk
        self.disk: Path | None = None
        self.url = ""
        self.told: Callable[[], bool] = lambda: True
        """Whether every API has said that it is not ready since the last fault began."""

    @abstractmethod
    def open(self) -> None:
        """Start everything, and wait until it is ready."""

    def close(self) -> None:
        """End everything that :meth:`open` has started."""
        for machine in self.machines:
            with suppress(ProcessLookupError):
                os.killpg(machine.process.pid, signal.SIGKILL)
            machine.close()
        self.cleanups.close()
        shutil.rmtree(self.folder)

    def keep_logs(self, folder: Path) -> None:
        """Copy what all processes have written so far."""
        folder.mkdir(parents=True, exist_ok=True)
        for file in (*self.folder.rglob("*.log"), self.folder / "pg" / "log"):
            if file.is_file():
                shutil.copy(file, folder / file.name)

    @property
    def addresses(self) -> list[str]:
        """Where clients find the service, one address an API."""
        return [str(api._client.base_url).rstrip("/") for api in self.apis]

    def account(self, **changes: Any) -> KeyPair:
        """A new account and its pair of keys."""
        db = open_database(self.url)
        try:
            return KeyStore(db, self.apis[0].folder / "key").create(**{"credits": CREDITS, **changes})
        finally:
            db.dispose()

    def database(self) -> sa.Engine:
        """The database, past everything that may be wrong with the way to it."""
        return open_database(self.url)

    def kill_worker(self, dice: random.Random) -> None:
        """``kill -9`` of one worker process."""
        wait_for(lambda: self.workers())
        with suppress(psutil.NoSuchProcess):
            dice.choice(self.workers()).kill()

    def workers(self) -> list[psutil.Process]:
        """The worker processes of all machines."""
        return [process for machine in self.machines for process in machine.workers()]

    def check_clocks(self) -> None:
        """Raises AssertionError where a machine does not go by its clock."""
        for machine in self.machines:
            assert self.clocks is None or self.clocks.worn_by(machine.process.pid), machine.folder

    def revive(self) -> None:
        """Start again what is dead, and wait until all of it is ready."""
        for machine in self.machines:
            if machine.process.poll() is not None:
                machine.start(wait=False)
        for machine in self.machines:
            machine.wait_until_ready()

    def vanish(self, machine: MortalService) -> None:
        """``kill -9`` of all processes of the machine."""
        with suppress(ProcessLookupError):
            os.killpg(machine.process.pid, signal.SIGKILL)
        machine.process.wait()

    def pause(self, machine: MortalService, seconds: float) -> None:
        """Stop all processes of the machine where they are, and let them go on after a while."""
        os.killpg(machine.process.pid, signal.SIGSTOP)
        time.sleep(seconds)
        os.killpg(machine.process.pid, signal.SIGCONT)

    def wear(self, clock: str, make: Callable[[], MortalService]) -> MortalService:
        """The machine that ``make`` makes, going by a clock of its own where such can be made here."""
        if self.clocks is None:
            return make()
        with self.clocks.wearing(clock):
            return make()

    def own_disk(self, folder: Path) -> None:
        """Put a disk of its own under ``folder``, where the system lets us."""
        folder.mkdir(parents=True)
        place = str(folder)
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", place]
        if not self._small_disk or subprocess.run(mount, capture_output=True).returncode:
            return
        self.disk = folder
        self.cleanups.callback(lambda: subprocess.run(["umount", "-l", place], check=True))

    def fill_disk(self) -> None:
        """Leave no byte on the disk."""
        assert self.disk is not None
        with (self.disk / "filler").open("wb", buffering=0) as file:
            for size in (1 << 20, 65536, 4096, 1):
                with suppress(OSError):
                    while file.write(bytes(size)) == size:
                        pass

    def empty_disk(self) -> None:
        assert self.disk is not None
        (self.disk / "filler").unlink(missing_ok=True)


class Alone(Stage):
    """One service that does everything, with SQLite, a folder and worker processes."""

    name = "embedded"

    def open(self) -> None:
        self.own_disk(self.folder / "disk")
        data = self.folder / "disk" / "data"
        machine = self.wear("service", lambda: MortalService(data, free_port(), **self.settings))
        self.machines = self.apis = [machine]
        self.url = machine.database_url
        machine.start()
        self.check_clocks()

    @property
    def service(self) -> MortalService:
        return self.machines[0]

    @property
    def objects(self) -> Path:
        return self.service.folder / "objects"

    def left(self, place: str) -> set[str]:
        """The names under ``inputs`` or ``results``, of those that hold something."""
        return {each.name for each in (self.objects / place).iterdir() if any(each.rglob("*.*")) or any(each.iterdir())}


class Fleet(Stage):
    """Two APIs and two machines that draw, on PostgreSQL with Procrastinate and an object store over S3."""

    name = "fleet"

    def open(self) -> None:
        self.settings = {"machine_seconds": 4, "affinity_seconds": 1, **self.settings}
        with ExitStack() as stack:
            self.own_disk(self.folder / "pg")
            self.postgres = PostgresServer(self.folder / "pg")
            self.start_postgres()
            stack.callback(self.stop_postgres)
            direct = stack.enter_context(postgres_database(self.postgres.url))
            self.url = direct
            self.wire = Relay(self.folder / "pg" / ".s.PGSQL.5432")
            stack.callback(self.wire.close)
            port = self._start_store(stack)
            self.store_wire = StoreRelay(("127.0.0.1", port))
            stack.callback(self.store_wire.close)
            stack.enter_context(s3_environment(f"http://127.0.0.1:{self.store_wire.port}"))
            seen = sa.make_url(direct).set(host="127.0.0.1", port=self.wire.port, query={})
            url = seen.render_as_string(hide_password=False)
            self.town = Town(self.folder / "machines", url, f"s3://{BUCKET}", **self.settings)
            for number, role in enumerate(("api", "api", "worker", "worker")):
                self.wear(f"machine{number}", lambda role=role: self.town.add(role, wait=False))  # type: ignore[misc]
            self.machines = [*self.town.members]
            self.apis = self.machines[:2]
            for machine in self.machines:
                machine.wait_until_ready()
            self.check_clocks()
            self.cleanups.push(stack.pop_all())

    def start_postgres(self) -> None:
        if self.clocks is None:
            self.postgres.start()
            return
        with self.clocks.wearing(POSTGRES_CLOCK):
            self.postgres.start()

    def stop_postgres(self, mode: str = "immediate") -> None:
        with suppress(subprocess.CalledProcessError):  # it has ended of itself, on a full disk for one
            self.postgres.stop(mode)

    def postgres_is_up(self) -> bool:
        try:
            db = self.database()
        except Exception:  # noqa: BLE001 - whatever it is, it is not up
            return False
        db.dispose()
        return True

    @property
    def drawers(self) -> list[Member]:
        """The machines that draw."""
        return self.town.members[2:]

    def left(self, place: str) -> set[str]:
        """The names under ``inputs`` or ``results``."""
        from restyle.settings import Settings
        from restyle.storage import open_storage

        return set(open_storage(Settings(storage_url=f"s3://{BUCKET}", data_dir=self.folder)).names(f"{place}/"))

    def _start_store(self, stack: ExitStack) -> int:
        """moto's server, in a process of its own; it keeps in memory what it has."""
        port = free_port()
        with (self.folder / "store.log").open("ab") as log:
            command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
            process = subprocess.Popen(command, stdout=log, stderr=log)

        def end() -> None:
            process.kill()
            process.wait()

        stack.callback(end)

        def made() -> bool:
            with suppress(httpx.TransportError):
                return httpx.put(f"http://127.0.0.1:{port}/{BUCKET}").status_code == 200
            return False

        wait_for(made)
        return port
