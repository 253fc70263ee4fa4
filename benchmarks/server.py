"""A service in a process of its own, and a client that adds as little time as possible."""

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from restyle.accounts.keys import KeyPair, KeyStore
from restyle.database import open_database
from restyle.engines.painter.family import FAMILY as PAINTER
from restyle.settings import Settings
from restyle.wire.signature import sign

START_SECONDS = 60
POLL_SECONDS = 0.1
IDLE_SECONDS = 2
"""A connection unused for this long is opened anew: the service closes those that are idle for 5 s."""
PROGRAM = """
import os, sys
from restyle.http.server import serve
from restyle.settings import Settings

def bound(address):
    with open(sys.argv[1] + ".part", "w") as file:
        file.write(address)
    os.replace(sys.argv[1] + ".part", sys.argv[1])

serve(Settings(), bound=bound)
"""


@dataclass(frozen=True, slots=True)
class Served:
    """A running service: its address, a key of an unlimited account, and its process."""

    address: str
    key: KeyPair
    pid: int

    def cpu_seconds(self) -> tuple[float, float]:
        """Processor time that the server and its workers have used."""
        process = psutil.Process(self.pid)
        server, *workers = (sum(one.cpu_times()[:2]) for one in (process, *process.children()))
        return server, sum(workers)

    def workers(self) -> list[int]:
        """Process ids of the workers."""
        return self._running("restyle.queue.worker")

    def checkers(self) -> list[int]:
        """Process ids of those that look at submitted pictures."""
        return self._running("restyle.images.checking.checker")

    def _running(self, module: str) -> list[int]:
        return [child.pid for child in psutil.Process(self.pid).children() if module in child.cmdline()]


@contextmanager
def serving(folder: Path, program: str = PROGRAM, changes: Mapping[str, str] | None = None) -> Iterator[Served]:
    """Serve from a new data folder with the default settings, but for limits that would get in the way.

    ``program`` writes its address into the file that it is given; ``changes`` are further settings.
    """
    folder.mkdir(parents=True)
    settings = Settings(data_dir=folder, database_url="", storage_url="")
    database = open_database(settings.database())
    key = KeyStore(database, folder / "key").create(credits=0, unlimited=True)
    database.dispose()
    changed = {"DATA_DIR": str(folder), "PORT": "0", "REQUESTS_PER_MINUTE": "1000000", "MAX_UNFINISHED_TASKS": "1000"}
    changed |= changes or {}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RESTYLE_")}
    environment |= {f"RESTYLE_{name}": value for name, value in changed.items()}
    told = folder / "address"
    with (folder / "log").open("wb") as log:
        command = [sys.executable, "-c", program, str(told)]
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        address = _wait_until_ready(process, told, folder / "log")
        yield Served(address, key, process.pid)
    finally:
        process.terminate()
        process.wait(60)


def _wait_until_ready(process: "subprocess.Popen[bytes]", told: Path, log: Path) -> str:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if told.exists():
            address = told.read_text()
            if _get(address, "/readyz")[0] == 200:
                return address
        time.sleep(0.05)
    raise RuntimeError(f"the service did not become ready within {START_SECONDS} s: {log.read_text()[-2000:]}")


def _get(address: str, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


class Caller:
    """Signs and sends requests over one connection."""

    def __init__(self, served: Served) -> None:
        self._key = served.key
        self._connection = http.client.HTTPConnection(urlsplit(served.address).netloc, timeout=600)
        self._used = time.monotonic()

    def body(self, action: str, **fields: Any) -> bytes:
        """The signed body of a request."""
        body = {"Action": action, "PublicKey": self._key.public_key, **fields}
        return json.dumps(body | {"Signature": sign(body, self._key.private_key)}).encode()

    def post(self, body: bytes) -> dict[str, Any]:
        """Send a body; returns the answer. Raises RuntimeError where the answer is an error."""
        answer: dict[str, Any] = json.loads(self._exchange("POST", "/", body)[1])
        if answer["RetCode"] != 0:
            raise RuntimeError(f"the service answered {answer}")
        return answer

    def call(self, action: str, **fields: Any) -> dict[str, Any]:
        """Sign, send, and return the answer."""
        return self.post(self.body(action, **fields))

    def redraw(self, raw: str, style: str, size: int, seed: int) -> bytes:
        """The signed body that asks for one picture of ``size`` squared; ``raw`` and ``style`` are Base64."""
        return self.body(
            "ApplyReferenceStyle",
            MainModel={"ModelCode": PAINTER.model},
            RawImageIndex=0,
            StyleImageIndex=1,
            StyleReferStrength=1,
            Seed=seed,
            Width=size,
            Height=size,
            ImageList=[raw, style],
        )

    def details(self, uids: list[str]) -> list[dict[str, Any]]:
        """The TaskDetail of up to 100 tasks. Raises RuntimeError where one has ended in an error."""
        found: list[dict[str, Any]] = self.call("ListTasksDetails", TaskUIDList=uids)["TaskDetailList"]
        for task in found:
            if task["Status"] == "Error":
                raise RuntimeError(f"task {task['TaskUID']} failed: {task['ErrorMessage']}")
        return found

    def wait(self, uids: list[str]) -> None:
        """Until these tasks are finished and every result is downloaded."""
        waiting = list(uids)
        while waiting:
            done = [task for task in self.details(waiting[:100]) if task["Status"] == "Finished"]
            for task in done:
                for url in task["ImgList"]:
                    self.download(url)
                waiting.remove(task["TaskUID"])
            if waiting:
                time.sleep(POLL_SECONDS)

    def download(self, url: str) -> bytes:
        """The bytes of a result."""
        parts = urlsplit(url)
        status, data = self._exchange("GET", f"{parts.path}?{parts.query}")
        if status != 200:
            raise RuntimeError(f"{url} answered {status}")
        return data

    def _exchange(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        if time.monotonic() - self._used > IDLE_SECONDS:
            self._connection.close()
        try:
            self._connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            response = self._connection.getresponse()
            data = response.read()
        except OSError as error:  # as it is, a broken pipe would end the command without a word
            raise RuntimeError(f"the service broke off {method} {path}: {error}") from error
        self._used = time.monotonic()
        return response.status, data

    def close(self) -> None:
        """End the connection."""
        self._connection.close()
