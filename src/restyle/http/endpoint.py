"""``POST /``: from the bytes of a request to the bytes of its answer."""

import secrets
import time
from dataclasses import dataclass, field
from functools import partial

import structlog
from fastapi import Request, Response
from starlette.requests import ClientDisconnect

from restyle.http.actions import ACTIONS, Call
from restyle.http.body import SMALL, check_headers, received
from restyle.http.envelope import Refused, failure, later, respond
from restyle.http.gate import Proof, action_of, admit
from restyle.http.service import Service
from restyle.wire import schema
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError
from restyle.wire.fields import FieldFault
from restyle.wire.parse import NotAnObjectError, parse
from restyle.wire.signature import HEADER, Json

DRAIN_RETRY_SECONDS = 5

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Exchange:
    """What is known of a request so far, for its answer and for the records. ``action`` is a known one or empty."""

    began: float = field(default_factory=time.perf_counter)
    size: int = 0
    body: dict[str, Json] = field(default_factory=dict)
    action: str = ""
    public_key: str = ""


async def endpoint(service: Service, request: Request) -> Response:
    """Answer one request. Whatever goes wrong, the answer is JSON and says no more than its reader may know."""
    exchange = Exchange()
    code: int = Code.SUCCESS
    try:
        response = respond(await _reach(service, request, exchange))
    except ClientDisconnect:  # nobody is there to read an answer
        log.info("a client left before its request was complete", bytes=exchange.size)
        return Response(status_code=400)
    except Exception as caught:  # noqa: BLE001 - the last line of defence: what nobody expected is logged, and told as 5000
        error = _public(caught, exchange)
        code = error.code
        response = failure(error, exchange.body)
    seconds = time.perf_counter() - exchange.began
    service.metrics.requests.labels(exchange.action, str(int(code))).inc()
    service.metrics.seconds.labels(exchange.action).observe(seconds)
    service.metrics.body_bytes.inc(exchange.size)
    log.info(
        "request",
        action=exchange.action,
        code=int(code),
        status=response.status_code,
        public_key=exchange.public_key,
        bytes=exchange.size,
        ms=round(seconds * 1000, 1),
    )
    return response


async def _reach(service: Service, request: Request, exchange: Exchange) -> schema.Answer:
    """Run the action. The event loop only moves bytes: what takes longer than a millisecond happens in threads."""
    check_headers(request.headers)
    header = request.headers.get(HEADER)
    async with received(request, service.bodies, service.settings.max_body_bytes) as raw:
        exchange.size = len(raw)
        large = exchange.size > SMALL
        read = partial(_parse, raw, header is None)
        exchange.body = await service.lanes.run(read, heavy=True) if large else read()
        action = action_of(exchange.body)
        exchange.action = action.__name__
        submits = action is schema.ApplyReferenceStyle
        if submits and service.draining:
            raise later(
                503,
                Code.QUEUE_FULL,
                "the service is stopping and takes no new tasks; try again soon",
                DRAIN_RETRY_SECONDS,
            )
        if submits:
            service.check_storage()
        proof = None if header is None else Proof(header, raw)
        base_url = service.settings.public_url or str(request.base_url)
        work = partial(_act, service, exchange, action, proof, base_url.rstrip("/"))
        return await service.lanes.run(work, heavy=large or submits)


def _parse(raw: bytearray, use_up: bool) -> dict[str, Json]:
    try:
        return parse(raw, use_up=use_up)
    except NotAnObjectError as error:
        raise Refused(400, Code.BODY_NOT_OBJECT, str(error)) from None


def _act(
    service: Service, exchange: Exchange, action: type[schema.Request], proof: Proof | None, base_url: str
) -> schema.Answer:
    with service.needed():
        key = admit(exchange.body, service.keys, service.rate, proof)
        exchange.public_key = key.public_key
        request = action.read(exchange.body, service.field_limits)
        answer = ACTIONS[action](service, Call(key, exchange.body, base_url), request)
    answer.request_uuid = request.request_uuid
    return answer


def _public(error: Exception, exchange: Exchange) -> RestyleError:
    """``error`` as a stranger may see it."""
    if isinstance(error, FieldFault):
        return RestyleError(error.code, error.message, field=error.field)
    if isinstance(error, RestyleError) and error.code is not Code.INTERNAL_ERROR:
        return error
    incident = secrets.token_hex(6)
    log.error("internal error", incident=incident, action=exchange.action, exc_info=error)
    return RestyleError(Code.INTERNAL_ERROR, f"internal error; quote {incident} to whoever runs the service")
