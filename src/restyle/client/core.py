"""The talk itself: signed requests, answers, tasks that are waited for, pictures that are fetched."""

import dataclasses
import json
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from typing import Any

from PIL import Image

from restyle.client.address import check_address
from restyle.client.errors import NoAnswer, ServiceError, TaskFailed
from restyle.client.flow import Compute, Deadline, Exchange, Flow, Pause, Reply, exchange
from restyle.client.request import fields, runs_model, saved
from restyle.client.style import Style
from restyle.client.task import Task
from restyle.conversion.options import Options, over
from restyle.conversion.stylecode import is_code
from restyle.images.decode import FORMATS
from restyle.images.source import Source
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError
from restyle.wire.signature import HEADER, Json, sign, sign_header, signed_text, text_of

Progress = Callable[[float], None]
"""Called with the fraction of the work done, 0..1."""

LONG, KEPT = 120, 40
"""Characters of a value from which on a signed text that is shown has the ends of it alone, and of each of these."""
FIRST_LOOK, LONGEST_LOOK, GROWTH = 0.05, 2.0, 1.4
"""Seconds between two looks at a task: soon at first, then ever less often."""


@dataclass(frozen=True, slots=True)
class Balance:
    """Credits of an account; ``expires`` is Unix seconds, None where they do not."""

    total: int
    used: int
    expires: int | None = None

    @property
    def left(self) -> int:
        return self.total - self.used


@dataclass(frozen=True, slots=True)
class Models:
    """The models of a service: ModelCode -> Model, as the wire has it. A Model may be passed back whole."""

    main: Mapping[str, Mapping[str, Any]]
    lora: Mapping[str, Mapping[str, Any]]
    embedding: Mapping[str, Mapping[str, Any]]
    hypernetwork: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Core:
    """One account at one service. ``timeout`` bounds each public call, in seconds.

    ``timed`` adds Restyle's header with a time and an HMAC of the body, which a key may require.
    """

    url: str
    public_key: str
    private_key: str
    timeout: float
    retries: int
    timed: bool

    def __post_init__(self) -> None:
        """Raises RestyleError (230) for what is no address of a service."""
        check_address(self.url)

    def convert(self, raw: Source, style: Source, options: Options, on_progress: Progress | None) -> Flow[Any]:
        began, deadline = time.perf_counter(), Deadline(self.timeout)
        task = yield from self._submit(raw, style, options, None, deadline)
        task = yield from self._wait(task, on_progress, deadline)
        pictures = yield from self._download(task, deadline)
        for picture in pictures:
            picture.info["seconds"] = time.perf_counter() - began
        return pictures

    def submit(self, raw: Source, style: Source, options: Options, request_uuid: str | None) -> Flow[Task]:
        return (yield from self._submit(raw, style, options, request_uuid, Deadline(self.timeout)))

    def wait(self, task: Task | str, on_progress: Progress | None, timeout: float | None) -> Flow[Task]:
        deadline = Deadline(self.timeout if timeout is None else timeout)
        return (yield from self._wait(task, on_progress, deadline))

    def download(self, task: Task) -> Flow[list[Image.Image]]:
        return (yield from self._download(task, Deadline(self.timeout)))

    def details(self, tasks: Sequence[Task | str]) -> Flow[list[Task]]:
        return (yield from self._details([_uid(task) for task in tasks], Deadline(self.timeout)))

    def cancel(self, task: Task | str) -> Flow[None]:
        """A lost answer is asked for again; then the task may have ended by our own first request, which is success."""
        deadline = Deadline(self.timeout)
        try:
            yield from self._call("TerminateTask", {"TaskUID": _uid(task)}, deadline)
        except ServiceError as error:
            if error.code != Code.TASK_ENDED:
                raise
            found = yield from self._details([_uid(task)], deadline)
            if found[0].error_code != Code.TERMINATED:
                raise

    def models(self) -> Flow[Models]:
        answer = yield from self._call("ListModels", {}, Deadline(self.timeout))
        names = ("MainModels", "LoraModels", "EmbeddingModels", "HypernetworkModels")
        return Models(*(answer.get(name) or {} for name in names))

    def running(self) -> Flow[list[str]]:
        answer = yield from self._call("ListRunningTasks", {}, Deadline(self.timeout))
        return list(answer.get("TaskUIDList") or [])

    def balance(self) -> Flow[Balance]:
        answer = yield from self._call("GetCreditBalance", {}, Deadline(self.timeout))
        return Balance(answer["TotalCredits"], answer["UsedCredits"], answer.get("ExpireTimestamp"))

    def styles(self, thumbnails: bool) -> Flow[list[Style]]:
        return (yield from self._styles(thumbnails, Deadline(self.timeout)))

    def save_style(self, code: str, picture: Source, options: Options) -> Flow[None]:
        given = yield Compute(partial(saved, code, picture, options))
        yield from self._call("SaveStyle", given, Deadline(self.timeout))

    def delete_style(self, code: str) -> Flow[None]:
        yield from self._call("DeleteStyle", {"StyleCode": code}, Deadline(self.timeout))

    def _styles(self, thumbnails: bool, deadline: Deadline) -> Flow[list[Style]]:
        given = {"Thumbnails": True} if thumbnails else {}
        answer = yield from self._call("ListStyles", given, deadline)
        try:
            return [Style.read(entry) for entry in answer["StyleList"]]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise NoAnswer(f"{self.url} answered ListStyles with a style that is none: {error!r}") from error

    def _submit(
        self, raw: Source, style: Source, options: Options, request_uuid: str | None, deadline: Deadline
    ) -> Flow[Task]:
        if is_code(style) and runs_model(options) and "model" not in options:
            # The wire has no way to run the style's own model otherwise than by naming it.
            found = yield from self._styles(False, deadline)
            settings = [one.settings for one in found if one.code == style]
            options = over(options, settings[0]) if settings else options
        given, notices = yield Compute(partial(fields, raw, style, options))
        # The mark makes a repeated submission the same task: without it a lost answer could cost twice.
        given["request_uuid"] = request_uuid or str(uuid.uuid4())
        answer = yield from self._call("ApplyReferenceStyle", given, deadline)
        return Task(str(answer["TaskUID"]), notices=notices)

    def _wait(self, given: Task | str, on_progress: Progress | None, deadline: Deadline) -> Flow[Task]:
        """The task once it has ended, with the notices that it was ``given`` with as well."""
        uid, before = (given, ()) if isinstance(given, str) else (given.uid, given.notices)
        seconds, told = FIRST_LOOK, -1.0
        status, again = "unheard of", f"after {deadline.seconds:g} s; wait for it again, or cancel it"
        while True:
            try:
                (task,) = yield from self._details([uid], deadline)
            except NoAnswer as error:
                if deadline.left() > 0:
                    raise
                raise NoAnswer(f"task {uid} is still {status} {again} ({error})") from error
            status = task.status
            if on_progress is not None and task.progress > told:
                told = task.progress
                on_progress(told)
            if task.status == "Error":
                raise TaskFailed(task)
            if task.ended:
                return dataclasses.replace(task, notices=tuple(dict.fromkeys((*before, *task.notices))))
            if deadline.left() <= seconds:
                raise NoAnswer(f"task {uid} is still {status} {again}")
            yield Pause(seconds)
            seconds = min(LONGEST_LOOK, seconds * GROWTH)

    def _details(self, uids: list[str], deadline: Deadline) -> Flow[list[Task]]:
        answer = yield from self._call("ListTasksDetails", {"TaskUIDList": uids}, deadline)
        try:
            found = [Task.read(detail) for detail in answer["TaskDetailList"]]
        except (KeyError, TypeError, ValueError) as error:
            raise NoAnswer(f"{self.url} answered ListTasksDetails with a task that is none: {error!r}") from error
        if len(found) != len(uids):
            raise NoAnswer(f"{self.url} was asked for {len(uids)} tasks and answered with {len(found)}")
        return found

    def _download(self, task: Task, deadline: Deadline) -> Flow[list[Image.Image]]:
        if not task.images:
            what = "its pictures have expired" if task.ended else f"it is {task.status}"
            raise RestyleError(Code.TASK_NOT_FOUND, f"task {task.uid} has no pictures to download: {what}")
        pictures = []
        for index, url in enumerate(task.images):
            reply = yield from exchange(partial(Exchange, "GET", url, 0), deadline, self.retries)
            if reply.status != 200:
                raise NoAnswer(f"{url.partition('?')[0]} answered HTTP {reply.status} instead of a picture")
            picture: Image.Image = yield Compute(partial(_open, reply.content, url))
            picture.info["notices"] = task.notices
            if index < len(task.seeds):
                picture.info["seed"] = task.seeds[index]
            pictures.append(picture)
        return pictures

    def _call(self, action: str, given: Mapping[str, Any], deadline: Deadline) -> Flow[dict[str, Any]]:
        """One action: signed, sent, repeated where that may help, and its answer checked."""
        content = yield Compute(partial(self._body, action, given))

        def make() -> Exchange:
            headers = {"Content-Type": "application/json"}
            if self.timed:
                headers[HEADER] = sign_header(content, self.private_key, int(time.time()))
            return Exchange("POST", self.url, 0, content, headers)

        reply = yield from exchange(make, deadline, self.retries)
        return self._answer(action, reply, content)

    def _body(self, action: str, given: Mapping[str, Any]) -> bytes:
        body: dict[str, Any] = {"Action": action, "PublicKey": self.public_key, **given}
        try:
            body["Signature"] = sign(body, self.private_key)
            return json.dumps(body, allow_nan=False).encode()
        except (TypeError, ValueError) as error:
            raise RestyleError(Code.PARAMETER_NOT_AVAILABLE, f"the request cannot be written: {error}") from error

    def _answer(self, action: str, reply: Reply, content: bytes) -> dict[str, Any]:
        try:
            answer = json.loads(reply.content)
        except ValueError:
            answer = None
        if not isinstance(answer, dict) or type(answer.get("RetCode")) is not int:
            raise NoAnswer(
                f"{self.url} answered {action} with HTTP {reply.status} and no RetCode; is the address right?"
            )
        if answer["RetCode"] != 0:
            message = str(answer.get("Message") or "")
            if answer["RetCode"] == Code.SIGNATURE_MISMATCH:
                message += f"; {self._signed(content)}"
            raise ServiceError(answer["RetCode"], message, field=answer.get("Field"))
        return answer

    def _signed(self, content: bytes) -> str:
        """What the client signed, but for the private key, and for the middle of every value that is long."""
        body = json.loads(content)
        whole = signed_text(body)
        return (
            f"signed was, with the private key behind it, the text of {whole.length} characters and the SHA-256 "
            f"{whole.sha256}: {text_of(_shown(body, self.private_key))}"
        )


def _shown(value: Json, secret: str) -> Any:
    """``value`` as it may be shown: short, and without the secret, which may have been given in a wrong place."""
    if isinstance(value, str):
        value = value.replace(secret, "(the private key)") if secret else value
        left = len(value) - 2 * KEPT
        return value if len(value) <= LONG else f"{value[:KEPT]}...({left} characters)...{value[-KEPT:]}"
    if isinstance(value, Mapping):
        return {name: _shown(each, secret) for name, each in value.items()}
    return [_shown(each, secret) for each in value] if isinstance(value, list) else value


def _uid(task: Task | str) -> str:
    return task if isinstance(task, str) else task.uid


def _open(data: bytes, url: str) -> Image.Image:
    try:
        with Image.open(BytesIO(data), formats=FORMATS) as image:
            image.load()
            return image
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        where = url.partition("?")[0]
        raise RestyleError(Code.IMAGE_UNREADABLE, f"{where} is no picture that can be read: {error}") from error
