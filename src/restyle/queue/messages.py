"""What a service and its worker processes say to each other: JSON, one message a frame.

JSON rather than pickle, because a worker decodes strangers' images: whoever takes one over must not be able to hand
the service an object that runs code.
"""

import dataclasses
import json
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from restyle.queue.spec import Claim, Spec
from restyle.settings import Settings

MAX_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Hello:
    """To the worker, first: the settings."""

    settings: dict[str, Any]

    @classmethod
    def of(cls, settings: Settings) -> "Hello":
        return cls(settings.model_dump(mode="json"))


@dataclass(frozen=True, slots=True)
class Run:
    """To the worker: run this task."""

    uid: str
    claim: str
    seeds: list[int]
    spec: dict[str, Any]

    @classmethod
    def of(cls, claim: Claim) -> "Run":
        return cls(claim.uid, claim.claim, list(claim.seeds), claim.spec.to_json())

    def task(self) -> Claim:
        return Claim(self.uid, self.claim, tuple(self.seeds), Spec.from_json(self.spec))


@dataclass(frozen=True, slots=True)
class Stop:
    """To the worker: give that run up."""

    claim: str


@dataclass(frozen=True, slots=True)
class Ready:
    """From the worker: the engine is loaded."""


@dataclass(frozen=True, slots=True)
class Broken:
    """From the worker, last: it cannot work, and why."""

    traceback: str


@dataclass(frozen=True, slots=True)
class Begun:
    """From the worker: it heard of the run and begins. Said before anything of the task can do harm."""

    claim: str


@dataclass(frozen=True, slots=True)
class Progress:
    """From the worker: this much of the run is done, 0..1."""

    claim: str
    fraction: float


@dataclass(frozen=True, slots=True)
class Done:
    """From the worker: the results are stored, under the keys that belong to the claim. ``notices`` are new ones."""

    claim: str
    notices: list[str]


@dataclass(frozen=True, slots=True)
class Failed:
    """From the worker: the run failed. ``message`` is None where the reason is not for the client's eyes.

    ``last`` says that the process ends after it.
    """

    claim: str
    code: int  # a restyle.wire.codes.Code
    message: str | None
    traceback: str
    last: bool = False


@dataclass(frozen=True, slots=True)
class Stopped:
    """From the worker: the run that was to stop has stopped."""

    claim: str


ToWorker = Hello | Run | Stop
FromWorker = Ready | Broken | Begun | Progress | Done | Failed | Stopped

_kinds: dict[str, type[ToWorker | FromWorker]] = {
    kind.__name__: kind for kind in (Hello, Run, Stop, Ready, Broken, Begun, Progress, Done, Failed, Stopped)
}


def send(connection: Connection, message: ToWorker | FromWorker) -> None:
    """Raises :class:`OSError` where the other side is gone."""
    body = {"kind": type(message).__name__, **dataclasses.asdict(message)}
    connection.send_bytes(json.dumps(body).encode())


def receive(connection: Connection) -> Any:
    """The next message.

    Raises :class:`EOFError` or :class:`OSError` where the other side is gone, :class:`ValueError` for nonsense.
    """
    body = json.loads(connection.recv_bytes(MAX_BYTES))
    try:
        return _kinds[body.pop("kind")](**body)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError("not a message") from error
