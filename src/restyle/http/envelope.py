"""The one shape of every JSON answer, and what becomes of an error on its way into it."""

from collections.abc import Mapping

from fastapi import Response

from restyle.wire.answers import Answer
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError
from restyle.wire.schema import MAX_REQUEST_UUID
from restyle.wire.signature import Json

MAX_ECHO = 128
"""Characters of an Action that an answer repeats. Longer ones are nobody's action, and an echo must not be a lever."""

DRAIN_RETRY_SECONDS = 5

HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class Refused(RestyleError):
    """No action was reached: the HTTP status says why, too. ``headers`` go with the answer."""

    def __init__(
        self,
        status: int,
        code: Code,
        message: str,
        *,
        field: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(code, message, field=field)
        self.status = status
        self.headers = dict(headers or {})


def later(status: int, code: Code, message: str, seconds: float) -> Refused:
    """A refusal that passes: the client may come back after ``seconds``, rounded up to a whole second."""
    return Refused(status, code, message, headers={"Retry-After": str(max(1, -int(-seconds // 1)))})


def stopping() -> Refused:
    """What a submission is answered while the service stops."""
    return later(
        503,
        Code.QUEUE_FULL,
        "the service is stopping and takes no new tasks; try again soon",
        DRAIN_RETRY_SECONDS,
    )


def echoes(body: Mapping[str, Json]) -> tuple[str, str | None]:
    """The Action and the request_uuid to repeat in the answer to ``body``, as far as they are what they should be."""
    action, mark = body.get("Action"), body.get("request_uuid")
    return (
        action if isinstance(action, str) and len(action) <= MAX_ECHO else "",
        mark if isinstance(mark, str) and 0 < len(mark) <= MAX_REQUEST_UUID else None,
    )


def failure(error: RestyleError, body: Mapping[str, Json]) -> Response:
    """The answer that carries ``error``; its Message names the field at fault."""
    action, mark = echoes(body)
    named = error.field is None or error.field in error.message
    message = error.message if named else f"{error.field}: {error.message}"
    answer = Answer(RetCode=error.code, Action=action, Message=message, request_uuid=mark, fault=error.field)
    if isinstance(error, Refused):
        return respond(answer, error.status, error.headers)
    return respond(answer)


def respond(answer: Answer, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """``answer`` as it is sent."""
    return Response(answer.json_bytes(), status, {**HEADERS, **(headers or {})}, "application/json")
