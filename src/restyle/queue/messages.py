"""What a service and its worker processes say to each other: JSON, one message a frame.

JSON rather than pickle, because a worker decodes strangers' images: whoever takes one over must not be able to hand
the service an object that runs code. For the same reason every field has its bounds, checked where it is read.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter

from restyle.queue.claim import MAX_PLAN, MAX_SEEDS, Claim
from restyle.settings import Settings
from restyle.wire.codes import Code

MAX_MESSAGE = 2_000
MAX_NOTICES = 1_000
MAX_TRACEBACK = 20_000
MAX_FRAME = 16 * 1024 * 1024
"""Bytes of what a worker says at once: the bounds of all fields together stay below."""


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("it holds a NUL character, which databases do not store")
    return text


def _failing(code: Code) -> Code:
    if code is Code.SUCCESS:
        raise ValueError("success is no failure")
    return code


Name = Annotated[str, StringConstraints(pattern="^[0-9a-f]{16}$")]
Text = Annotated[str, StringConstraints(max_length=MAX_MESSAGE), AfterValidator(_storable)]
Traceback = Annotated[str, StringConstraints(max_length=MAX_TRACEBACK)]


class Message(BaseModel):
    """``claim``, where a message has one, names the run that it is about."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Hello(Message):
    """To the worker, first: the settings."""

    kind: Literal["hello"] = "hello"
    settings: dict[str, Any]

    @classmethod
    def of(cls, settings: Settings) -> "Hello":
        return cls(settings=settings.model_dump(mode="json"))


class Run(Message):
    """To the worker: run this task."""

    kind: Literal["run"] = "run"
    uid: str
    claim: Name
    seeds: Annotated[list[int], Field(max_length=MAX_SEEDS)]
    plan: Annotated[str, StringConstraints(max_length=MAX_PLAN)]

    @classmethod
    def of(cls, claim: Claim) -> "Run":
        return cls(uid=claim.uid, claim=claim.claim, seeds=list(claim.seeds), plan=claim.plan)

    def task(self) -> Claim:
        return Claim(self.uid, self.claim, tuple(self.seeds), self.plan)


class Stop(Message):
    """To the worker: give that run up."""

    kind: Literal["stop"] = "stop"
    claim: Name


class Ready(Message):
    """From the worker: the engine is loaded."""

    kind: Literal["ready"] = "ready"


class Broken(Message):
    """From the worker, last: it cannot work, and why."""

    kind: Literal["broken"] = "broken"
    traceback: Traceback


class Begun(Message):
    """From the worker: it heard of the run and begins. Said before anything of the task can do harm."""

    kind: Literal["begun"] = "begun"
    claim: Name


class Progress(Message):
    """From the worker: this much of the run is done, 0..1."""

    kind: Literal["progress"] = "progress"
    claim: Name
    fraction: Annotated[float, Field(ge=0, le=1)]


class Done(Message):
    """From the worker: the results are stored, under the keys that belong to the claim. ``notices`` are new ones."""

    kind: Literal["done"] = "done"
    claim: Name
    notices: Annotated[list[Text], Field(max_length=MAX_NOTICES)]


class Failed(Message):
    """From the worker: the run failed. ``message`` is None where the reason is not for the client's eyes.

    ``last`` says that the process ends after it.
    """

    kind: Literal["failed"] = "failed"
    claim: Name
    code: Annotated[Code, AfterValidator(_failing)]
    message: Text | None
    traceback: Traceback
    last: bool = False


class Hindered(Message):
    """From the worker: storage failed, at ``key``, with ``size`` bytes to be stored or None to be read.

    The task had no part in that.
    """

    kind: Literal["hindered"] = "hindered"
    claim: Name
    key: Text
    size: Annotated[int, Field(ge=0)] | None
    reason: Text


class Stopped(Message):
    """From the worker: the run that was to stop has stopped."""

    kind: Literal["stopped"] = "stopped"
    claim: Name


ToWorker = Annotated[Hello | Run | Stop, Field(discriminator="kind")]
FromWorker = Annotated[
    Ready | Broken | Begun | Progress | Done | Failed | Hindered | Stopped, Field(discriminator="kind")
]

to_worker: TypeAdapter[Hello | Run | Stop] = TypeAdapter(ToWorker)
from_worker: TypeAdapter[Ready | Broken | Begun | Progress | Done | Failed | Hindered | Stopped] = TypeAdapter(
    FromWorker
)
"""How a frame is read: ``validate_json`` raises ValueError for what is no message, or holds what it may not."""


def plain(text: str, limit: int = MAX_MESSAGE) -> str:
    """``text`` as a message may hold it: its first ``limit`` characters, without what databases do not store."""
    return text[:limit].replace("\0", "�").encode(errors="replace").decode()
