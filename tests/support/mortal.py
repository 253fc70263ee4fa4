"""``restyle serve`` to be killed and started again, and a client that signs."""

import base64
import os
import signal
import subprocess
from pathlib import Path
from typing import IO, Any

import httpx
import psutil

from restyle.accounts.keys import KeyPair, KeyStore
from restyle.database import open_database
from restyle.images.encode import encode_png
from restyle.settings import Settings
from restyle.wire.signature import sign
from tests.support.command import PYTHONPATH
from tests.support.engines import OBEDIENT, REGISTRY
from tests.support.nursery import COMMAND, Fork, fork
from tests.support.patience import PATIENCE, wait_for
from tests.support.pictures import picture
from tests.support.zygote import WORKER, children

IMAGES = [base64.b64encode(encode_png(picture(64, 80, seed))).decode() for seed in (0, 1)]


class MortalService:
    """A service on a data folder, always on the same port, with an account of 1,000 credits.

    Its engine is the obedient one of :mod:`tests.support.engines`; ``settings`` are further ``RESTYLE_`` variables in
    lower case.
    """

    def __init__(self, folder: Path, port: int, **settings: Any) -> None:
        self.folder = folder
        given = {
            "data_dir": folder,
            "port": port,
            "registry": REGISTRY,
            "log_format": "json",
            **settings,
        }
        variables = {f"RESTYLE_{name.upper()}": str(value) for name, value in given.items()}
        self._environment = {**os.environ, **variables, "PYTHONPATH": PYTHONPATH}
        self._process: Fork | subprocess.Popen[bytes] | None = None
        self.log = folder.with_name(folder.name + ".log")
        folder.parent.mkdir(parents=True, exist_ok=True)
        self.database_url = Settings(**given).database()
        self._pair = self.make_key()
        self.address = f"http://{given.get('host', '127.0.0.1')}:{port}"
        self._client = httpx.Client(base_url=self.address, timeout=PATIENCE, trust_env=False)

    def make_key(self) -> KeyPair | None:
        """The pair that requests are signed with."""
        db = open_database(self.database_url)
        pair = KeyStore(db, self.folder / "key").create(credits=1000)
        db.dispose()
        return pair

    @property
    def pair(self) -> KeyPair:
        """What :meth:`make_key` made."""
        assert self._pair is not None
        return self._pair

    @property
    def process(self) -> Fork | subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    def start(self, *, wait: bool = True) -> None:
        """Start, and wait until it is ready, unless told not to."""
        with self.log.open("ab") as log:
            self._process = self.begin(log)
        if wait:
            self.wait_until_ready()

    def begin(self, log: IO[Any]) -> Fork | subprocess.Popen[bytes]:
        """The process, in a session of its own."""
        return fork(COMMAND, "restyle", "serve", environment=self._environment, stdout=log, stderr=log, session=True)

    def wait_until_ready(self) -> None:
        wait_for(self._answers, self.log.read_text)

    def _answers(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return self._client.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def stopping(self) -> bool:
        """Whether it says that it is."""
        return "stopping" in self._client.get("/readyz").text

    def kill(self) -> None:
        """``kill -9`` of the service alone; its workers have to notice by themselves."""
        self.process.kill()
        self.process.wait()

    def terminate(self) -> None:
        """SIGTERM, without waiting."""
        self.process.send_signal(signal.SIGTERM)

    def close(self) -> None:
        """End it if it still runs."""
        if self._process is not None and self._process.poll() is None:
            self.kill()
        self._client.close()

    def workers(self) -> list[psutil.Process]:
        """Its worker processes."""
        try:
            return children(self.process.pid, WORKER)
        except psutil.NoSuchProcess:
            return []

    def send(self, action: str, **fields: Any) -> httpx.Response:
        """A signed request."""
        assert self._pair is not None
        body = {"Action": action, "PublicKey": self._pair.public_key, **fields}
        return self._client.post("/", json={**body, "Signature": sign(body, self._pair.private_key)})

    def post(self, action: str, **fields: Any) -> dict[str, Any]:
        """A signed request that must succeed; returns the answer."""
        answer: dict[str, Any] = self.send(action, **fields).json()
        assert answer["RetCode"] == 0, answer
        return answer

    def submit(self, *orders: str, **fields: Any) -> str:
        """Submit a task for the obedient engine; returns its uid."""
        return str(self.post("ApplyReferenceStyle", **self.task(*orders), **fields)["TaskUID"])

    @staticmethod
    def task(*orders: str) -> dict[str, Any]:
        """The fields of a small task for the obedient engine."""
        return {
            "MainModel": {"ModelCode": OBEDIENT},
            "PositivePrompts": list(orders),
            "RawImageIndex": 0,
            "StyleImageIndex": 1,
            "Width": 80,
            "Height": 64,
            "Seed": 7,
            "ImageList": IMAGES,
        }

    def details(self, uids: list[str]) -> list[dict[str, Any]]:
        return list(self.post("ListTasksDetails", TaskUIDList=uids)["TaskDetailList"])

    def wait(self, uids: list[str]) -> list[dict[str, Any]]:
        """The tasks, once all have ended."""
        tasks: list[dict[str, Any]] = []

        def left() -> list[dict[str, Any]]:
            tasks[:] = self.details(uids)
            return [task for task in tasks if task["Status"] not in ("Finished", "Error")]

        wait_for(lambda: not left(), lambda: tasks)
        return tasks

    def download(self, url: str) -> bytes:
        answer = self._client.get(url)
        assert answer.status_code == 200, answer.text
        return answer.content
