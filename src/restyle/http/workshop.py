"""A machine that only draws, as the outside sees it: whether it is well, and its figures."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self

import sqlalchemy as sa
from fastapi import FastAPI, Request, Response

from restyle.conversion.draw import open_registry
from restyle.database import open_database
from restyle.http import metrics
from restyle.http.envelope import HEADERS, Refused, failure, respond
from restyle.http.limits import check_internal
from restyle.http.metrics import Metrics
from restyle.http.telemetry import NO_TELEMETRY
from restyle.private import make_data_folder
from restyle.queue.cluster.fleet import Fleet
from restyle.queue.store import TaskStore
from restyle.settings import Settings
from restyle.storage import open_storage
from restyle.wire.answers import Answer
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError


@dataclass(slots=True)
class Workshop:
    """A running machine of the role ``worker``. It has no keys, and takes no requests."""

    settings: Settings
    db: sa.Engine
    fleet: Fleet
    metrics: Metrics
    draining: bool = False

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """Join the fleet, and start the workers. Raises RestyleError (5000) for what an operator has to mend."""
        make_data_folder(settings.data_dir)
        db = open_database(settings.database())
        try:
            fleet = Fleet.open(settings, db, open_storage(settings), open_registry(settings))
            fleet.start()
        except BaseException:
            db.dispose()
            raise
        return cls(settings, db, fleet, Metrics(db, TaskStore(db, settings), fleet))

    def drain(self, seconds: float | None = None) -> None:
        """Claim nothing more, and wait for what runs: ``settings.drain_seconds`` at most, or ``seconds``."""
        self.draining = True
        self.fleet.hush()
        self.fleet.workforce.stop(seconds)

    def close(self) -> None:
        """Drain, then close the database."""
        self.drain()
        self.db.dispose()

    def trouble(self) -> str | None:
        """Why it draws nothing now; None while it does."""
        return "the service is stopping" if self.draining else self.fleet.workforce.trouble()


def create_workshop(workshop: Workshop) -> FastAPI:
    """Its application: ``/healthz``, ``/readyz`` and ``/metrics``."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await asyncio.to_thread(workshop.close)

    app = FastAPI(
        title="Restyle worker",
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        telemetry=NO_TELEMETRY,
    )

    @app.exception_handler(RestyleError)
    async def _(_: Request, error: Exception) -> Response:
        assert isinstance(error, Refused)
        return failure(error, {})

    @app.api_route("/healthz", methods=["GET", "HEAD"])
    async def _() -> Response:
        return respond(Answer(Action=""))

    @app.api_route("/readyz", methods=["GET", "HEAD"])
    async def _() -> Response:
        reason = workshop.trouble()
        if reason is None:
            return respond(Answer(Action=""))
        return respond(Answer(RetCode=Code.QUEUE_FULL, Action="", Message=reason), 503, {"Retry-After": "1"})

    @app.api_route("/metrics", methods=["GET", "HEAD"])
    async def _(request: Request) -> Response:
        check_internal(request, workshop.settings)
        text = await asyncio.to_thread(workshop.metrics.page)
        return Response(text, headers={**HEADERS, "Content-Type": metrics.CONTENT_TYPE})

    return app
