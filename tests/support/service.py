"""A service as its clients meet it: a process of its own on loopback, spoken to over HTTP."""

import base64
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa

from restyle.accounts.keys import KeyPair, KeyStore
from restyle.database import keys, open_database, writing
from restyle.images.encode import encode_png
from restyle.settings import Settings
from restyle.wire.signature import sign
from tests.support.databases import sqlite_database
from tests.support.engines import OBEDIENT, REGISTRY
from tests.support.nursery import Fork, fork
from tests.support.patience import PATIENCE, wait_for
from tests.support.pictures import picture
from tests.support.silence import silent

PROGRAM = """
from restyle.http.server import serve
from restyle.settings import Settings
if __name__ == "__main__":
    serve(Settings(), bound=lambda address: print(address, flush=True))
"""
PICTURE = base64.b64encode(encode_png(picture(24, 32))).decode()


class RunningService:
    """A running service and an unlimited account. Engines are the obedient ones of ``tests.support.engines``."""

    def __init__(self, process: Fork, url: str, settings: Settings, log: Path) -> None:
        self.process = process
        self.url = url
        self.settings = settings
        self.log = log
        self.db = open_database(settings.database())
        self.keys = KeyStore(self.db, settings.data_dir / "key")
        self.key = self.keys.create(credits=0, unlimited=True)
        self.http = httpx.Client(base_url=url, timeout=PATIENCE)

    def sign(self, body: dict[str, Any], key: KeyPair | None = None) -> dict[str, Any]:
        """``body`` with public key and signature."""
        key = key or self.key
        body = {"PublicKey": key.public_key, **body}
        return {**body, "Signature": sign(body, key.private_key)}

    def post(self, body: dict[str, Any], key: KeyPair | None = None) -> httpx.Response:
        return self.http.post("/", json=self.sign(body, key))

    def call(self, action: str, key: KeyPair | None = None, **fields: Any) -> dict[str, Any]:
        """The answer to a signed request, whatever its RetCode."""
        answer: dict[str, Any] = self.post({"Action": action, **fields}, key).json()
        return answer

    def submit(self, *orders: str, key: KeyPair | None = None, **fields: Any) -> str:
        """The uid of a new task; ``orders`` are those of the obedient engine."""
        answer = self.call("ApplyReferenceStyle", key, **submission(*orders, **fields))
        assert answer["RetCode"] == 0, answer
        return str(answer["TaskUID"])

    def task(self, uid: str, key: KeyPair | None = None) -> dict[str, Any]:
        answer = self.call("ListTasksDetails", key, TaskUIDList=[uid])
        assert answer["RetCode"] == 0, answer
        detail: dict[str, Any] = answer["TaskDetailList"][0]
        return detail

    def wait(self, uid: str, *statuses: str) -> dict[str, Any]:
        """The task once it has one of ``statuses``, or has ended."""
        detail: dict[str, Any] = {}

        def arrived() -> bool:
            detail.clear()
            detail.update(self.task(uid))
            return detail["Status"] in (statuses or ("Finished", "Error"))

        wait_for(arrived, lambda: detail)
        return detail

    def wait_until_ready(self) -> None:
        def ready() -> bool:
            assert self.process.poll() is None, self.log.read_text()
            return self.http.get("/readyz").status_code == 200

        wait_for(ready, self.log.read_text)

    def finished(self, **fields: Any) -> dict[str, Any]:
        """The task of an accepted ApplyReferenceStyle once it has finished well."""
        answer = self.call("ApplyReferenceStyle", **fields)
        assert answer["RetCode"] == 0, answer
        detail = self.wait(answer["TaskUID"])
        assert detail["Status"] == "Finished", detail
        return detail

    def images(self, **fields: Any) -> list[bytes]:
        """The files that an accepted ApplyReferenceStyle ends in."""
        return [httpx.get(url, timeout=PATIENCE).content for url in self.finished(**fields)["ImgList"]]

    def adopt(self, public_key: str, private_key: str) -> KeyPair:
        """Make an unlimited account with a key pair that is given, as no user can."""
        pair = self.keys.create(credits=0, unlimited=True)
        changes = {"public_key": public_key, "sealed_private_key": self.keys._seal(public_key, private_key)}
        with writing(self.db) as connection:
            connection.execute(sa.update(keys).where(keys.c.public_key == pair.public_key).values(changes))
        return KeyPair(public_key, private_key, pair.account_id)

    def drain(self, *, by: signal.Signals = signal.SIGTERM) -> None:
        """Begin to stop; returns once it says so."""
        self.process.send_signal(by)

        def stopping() -> bool:
            try:
                return "stopping" in self.http.get("/readyz").text
            except httpx.TransportError:
                return True

        wait_for(stopping)


def submission(*orders: str, **fields: Any) -> dict[str, Any]:
    """The fields of a small ApplyReferenceStyle."""
    return {
        "MainModel": {"ModelCode": OBEDIENT},
        "PositivePrompts": list(orders),
        "RawImageIndex": 0,
        "StyleImageIndex": 1,
        "Width": 64,
        "Height": 64,
        "ImageList": [PICTURE, PICTURE],
        **fields,
    }


@contextmanager
def running(
    folder: Path, *, ready: bool = True, program: str = PROGRAM, torch: bool = False, **changes: Any
) -> Iterator[RunningService]:
    """A service on ``folder`` with settings ``changes``, ended at the end of the block; it called nobody then.

    ``program`` is what is run, and says the address first. ``torch``: its workers draw with that.
    """
    values = {
        "data_dir": folder / "data",
        "port": 0,
        "workers": 1,
        "checkers": 1,
        "registry": REGISTRY,
        "drain_seconds": 5,
        **changes,
    }
    variables = {f"RESTYLE_{name.upper()}": str(value) for name, value in values.items()}
    log = folder / "log"
    place = folder / "data" / "restyle.sqlite3"
    if values["data_dir"] == place.parent and "database_url" not in changes and not place.parent.exists():
        sqlite_database(place)
    with silent(folder) as silence:
        with log.open("a") as errors:
            environment = {**os.environ, **silence, **variables}
            process = fork(program, environment=environment, stdout=None, stderr=errors, torch=torch)
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url, log.read_text()
        service = RunningService(process, url, Settings(**values), log)
        try:
            if ready:
                service.wait_until_ready()
            yield service
        finally:
            service.http.close()
            service.db.dispose()
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(PATIENCE)
                except subprocess.TimeoutExpired:
                    process.kill()
            process.wait()
            process.stdout.close()
