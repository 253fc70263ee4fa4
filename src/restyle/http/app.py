"""The web application: which paths there are, and what they share."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import sqlalchemy as sa
import structlog
from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware

from restyle.database import reading
from restyle.http import metrics
from restyle.http.endpoint import endpoint
from restyle.http.envelope import HEADERS, Refused, failure, respond
from restyle.http.limits import AddressRate, Rate, check_internal
from restyle.http.links import base_of
from restyle.http.openapi import document
from restyle.http.page import POLICY, page
from restyle.http.results import result
from restyle.http.service import Service, field_limits
from restyle.http.telemetry import NO_TELEMETRY
from restyle.settings import Settings, cors_origins
from restyle.wire.answers import Answer
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError
from restyle.wire.signature import HEADER

ANSWER_SECONDS = 3.0
"""How long ``/readyz`` waits for the database."""

log = structlog.get_logger(__name__)


def create_app(settings: Settings, opened: Service | None = None, *, home: str = "docs") -> FastAPI:
    """The application. Its lifespan opens the database and storage, and starts and ends the worker processes.

    ``opened`` is a service that was opened already, for callers that want to hear of what cannot be opened. ``home`` is
    the path that a browser is led to from ``/``.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        service = opened if opened is not None else await asyncio.to_thread(Service.open, settings)
        app.state.service = service
        try:
            yield
        finally:
            await asyncio.to_thread(service.close)

    app = FastAPI(
        title="Restyle",
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry=NO_TELEMETRY,
    )
    app.add_exception_handler(HTTPException, _no_such_way)
    app.add_exception_handler(RestyleError, _refused)
    app.add_exception_handler(Exception, _broken)

    @app.post("/")
    async def _(request: Request) -> Response:
        return await endpoint(_service(app), request)

    @app.api_route("/", methods=["GET", "HEAD"])
    async def _() -> Response:
        # Relative, and so right behind a proxy that serves this under a path of its own.
        return Response(status_code=303, headers={**HEADERS, "Location": home})

    @app.api_route("/results/{uid}/{index}.png", methods=["GET", "HEAD"])
    async def _(request: Request, uid: str, index: str) -> Response:
        return await result(_service(app), request, uid, index)

    @app.api_route("/healthz", methods=["GET", "HEAD"])
    async def _() -> Response:
        return respond(Answer(Action=""))

    @app.api_route("/readyz", methods=["GET", "HEAD"])
    async def _() -> Response:
        return await _ready(_service(app))

    @app.api_route("/metrics", methods=["GET", "HEAD"])
    async def _(request: Request) -> Response:
        check_internal(request, settings)
        service = _service(app)
        service.metrics.bodies_held.set(service.bodies.held)
        text = await service.lanes.run(service.metrics.page, heavy=False)
        return Response(text, headers={"Content-Type": metrics.CONTENT_TYPE})

    @app.api_route("/openapi.json", methods=["GET", "HEAD"])
    async def _(request: Request) -> Response:
        check_internal(request, settings)
        text = document(base_of(request, settings), field_limits(settings))
        return Response(text, media_type="application/json", headers=HEADERS)

    @app.api_route("/docs", methods=["GET", "HEAD"])
    async def _(request: Request) -> Response:
        check_internal(request, settings)
        text = page(field_limits(settings), base_of(request, settings))
        return Response(text, media_type="text/html", headers={**HEADERS, "Content-Security-Policy": POLICY})

    app.add_middleware(AddressRate, rate=Rate(settings.requests_per_address), refused=lambda: _count_refused(app))
    if origins := cors_origins(settings.cors_origins):
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "HEAD", "POST"],
            allow_headers=["Content-Type", HEADER],
            expose_headers=["Retry-After"],
        )
    return app


def _service(app: FastAPI) -> Service:
    service: Service = app.state.service
    return service


def _count_refused(app: FastAPI) -> None:
    _service(app).metrics.requests.labels("", str(int(Code.RATE_LIMITED))).inc()


async def _ready(service: Service) -> Response:
    """Whether a task sent now would be drawn: database and storage work, an engine is loaded, and nothing is ending."""

    def database_answers() -> None:
        with service.needed(), reading(service.db) as connection:
            connection.execute(sa.select(1)).scalar_one()

    reason = service.workforce.trouble()
    if service.draining:
        reason = "the service is stopping"
    elif reason is None:
        try:  # whoever asks has little patience, and a network that swallows everything never says no
            async with asyncio.timeout(ANSWER_SECONDS):
                await service.lanes.run(database_answers, heavy=False)
        except TimeoutError:
            reason = "the database does not answer"
    if reason is None:
        return respond(Answer(Action=""))
    return respond(Answer(RetCode=Code.QUEUE_FULL, Action="", Message=reason), 503, {"Retry-After": "1"})


async def _no_such_way(_: Request, error: Exception) -> Response:
    """404 and 405 of the router."""
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        message = "this path does not take that method; actions are sent as POST /"
    else:
        message = "there is nothing at this path; actions are sent as POST /"
    headers = dict(error.headers or {})
    return failure(Refused(error.status_code, Code.ACTION_NOT_FOUND, message, headers=headers), {})


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, RestyleError)
    return failure(error, {})


async def _broken(request: Request, error: Exception) -> Response:
    """A fault outside of actions."""
    incident = secrets.token_hex(6)
    log.error("internal error", incident=incident, path=request.url.path, exc_info=error)
    message = f"internal error; quote {incident} to whoever runs the service"
    return failure(Refused(500, Code.INTERNAL_ERROR, message), {})
