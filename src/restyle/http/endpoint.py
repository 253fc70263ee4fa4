"""``POST /``: from the bytes of a request to the bytes of its answer."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import structlog
from fastapi import Request, Response
from starlette.requests import ClientDisconnect

from restyle.accounts.keys import Key
from restyle.http.actions import Call
from restyle.http.body import SMALL, check_headers, received
from restyle.http.envelope import Refused, failure, respond, stopping
from restyle.http.gate import Proof, action_of, admit, names_key
from restyle.http.limits import client_of
from restyle.http.links import base_of
from restyle.http.service import Service
from restyle.http.table import Action
from restyle.wire import answers, schema
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError
from restyle.wire.parse import NotAnObjectError, parse
from restyle.wire.signature import HEADER, Json

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Exchange:
    """What is known of a request so far, for its answer and for the records.

    ``action`` is a known one or empty, ``task`` the TaskUID that it made or is to end.
    """

    began: float = field(default_factory=time.perf_counter)
    size: int = 0
    body: dict[str, Json] = field(default_factory=dict)
    action: str = ""
    public_key: str = ""
    task: str = ""


async def endpoint(service: Service, request: Request) -> Response:
    """Answer one request. Whatever goes wrong, the answer is JSON and says no more than its reader may know."""
    exchange = Exchange()
    code: int = Code.SUCCESS
    try:
        response = respond(await _reach(service, request, exchange))
    except ClientDisconnect:  # nobody is there to read an answer
        log.info("a client left before its request was complete", client=client_of(request), bytes=exchange.size)
        return Response(status_code=400)
    except Exception as caught:  # noqa: BLE001 - the last line of defence: what nobody expected is logged, and told as 5000
        error = _public(caught, exchange)
        code = error.code
        response = failure(error, exchange.body)
        caught.__traceback__ = None  # its frames hold the pictures of the request, and themselves, until a collection
    seconds = time.perf_counter() - exchange.began
    service.metrics.requests.labels(exchange.action, str(int(code))).inc()
    service.metrics.seconds.labels(exchange.action).observe(seconds)
    service.metrics.body_bytes.inc(exchange.size)
    log.info(
        "request",
        action=exchange.action,
        code=int(code),
        status=response.status_code,
        client=client_of(request),
        public_key=exchange.public_key,
        **({"task": exchange.task} if exchange.task else {}),
        bytes=exchange.size,
        ms=round(seconds * 1000, 1),
    )
    return response


async def _reach(service: Service, request: Request, exchange: Exchange) -> answers.Answer:
    """Run the action. The event loop only moves bytes: what takes longer than a millisecond happens in threads."""
    check_headers(request.headers)
    header = request.headers.get(HEADER)
    limits = service.settings
    base_url = base_of(request, limits)

    async def names_known_key(head: bytes) -> bool:
        return await service.lanes.run(partial(names_key, head, service.keys), heavy=False)

    async with received(request, service.bodies, limits.max_body_bytes, limits.body_seconds, names_known_key) as raw:
        exchange.size = len(raw)
        large = exchange.size > SMALL
        read = partial(_parse, raw, header is None)
        exchange.body = await service.lanes.run(read, heavy=True) if large else read()
        action = action_of(exchange.body)
        exchange.action = action.name
        submits = action.brings_pictures
        if submits and service.draining:
            raise stopping()
        if submits:
            service.check_storage()
        proof = None if header is None else Proof(header, raw)
        enter = partial(_enter, service, exchange, action, proof)
        call = partial(Call, body=exchange.body, base_url=base_url)
        if not submits:
            return await service.lanes.run(
                lambda: _act(service, exchange, action, call, *enter()), heavy=large, writes=action.writes
            )
        key, asked = await service.lanes.run(enter, heavy=True)
        work = partial(_act, service, exchange, action, call, key, asked)
        return await service.submissions.run(key.account_id, work)


def _parse(raw: bytearray, use_up: bool) -> dict[str, Json]:
    try:
        return parse(raw, use_up=use_up)
    except NotAnObjectError as error:
        raise Refused(400, Code.BODY_NOT_OBJECT, str(error)) from None


def _enter(service: Service, exchange: Exchange, action: Action, proof: Proof | None) -> tuple[Key, schema.Request]:
    """Who asks, and for what."""
    with service.needed():
        key = admit(exchange.body, service.keys, service.rate, proof)
    exchange.public_key = key.public_key
    return key, action.request.read(exchange.body, service.field_limits)


def _act(
    service: Service,
    exchange: Exchange,
    action: Action,
    call: Callable[[Key], Call],
    key: Key,
    request: schema.Request,
) -> answers.Answer:
    if isinstance(request, schema.TerminateTask):
        exchange.task = request.TaskUID
    with service.needed():
        answer = action.perform(service, call(key), request)
    if isinstance(answer, answers.ApplyReferenceStyleAnswer):
        exchange.task = answer.TaskUID
    answer.request_uuid = request.request_uuid
    return answer


def _public(error: Exception, exchange: Exchange) -> RestyleError:
    """``error`` as a stranger may see it."""
    if isinstance(error, RestyleError) and error.code is not Code.INTERNAL_ERROR:
        return error
    incident = secrets.token_hex(6)
    log.error("internal error", incident=incident, action=exchange.action, exc_info=error)
    return RestyleError(Code.INTERNAL_ERROR, f"internal error; quote {incident} to whoever runs the service")
