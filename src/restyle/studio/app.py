"""The Studio's routes, and what they share: who asks, how bodies are read, what an error looks like."""

import json
import secrets
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from urllib.parse import parse_qsl, urlsplit

import structlog
from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from restyle.http.body import received
from restyle.http.envelope import Refused
from restyle.http.limits import Rate
from restyle.http.service import Service
from restyle.queue.store import TaskStore
from restyle.studio import (
    account,
    console,
    convert,
    favourites,
    history,
    kept,
    operator,
    pictures,
    results,
    sign_in,
    static,
)
from restyle.studio.ask import PATH, Ask
from restyle.studio.events import Events
from restyle.studio.feeder import Feeder
from restyle.studio.form import in_words
from restyle.studio.installs import Installs
from restyle.studio.language import language_for
from restyle.studio.page import HEADERS, THEMES, lead, page
from restyle.studio.route import Route
from restyle.studio.runs import Runs
from restyle.studio.uploads import Uploads
from restyle.studio.visitor import COOKIE, Sessions, Visitor, sent_from_here
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

FORM_BYTES = 2 * 1024 * 1024
"""Most bytes of a form: prompts are the largest part of one."""
FORM_FIELDS = 5000
SIGN_INS_PER_MINUTE = 20
"""Of one address."""

MODULES = (sign_in, convert, kept, pictures, results, history, favourites, account, console, operator)
ROUTES = tuple(route for module in MODULES for route in module.ROUTES)

log = structlog.get_logger(__name__)

Handler = Callable[[Ask], Response]


@dataclass(slots=True)
class Studio:
    """The Studio of one service. ``base`` is where browsers find it: a path without a slash at its end; ``pages`` are
    the paths within it that can be asked for as they are.
    """

    service: Service
    base: str
    pages: frozenset[str]
    sessions: Sessions
    uploads: Uploads
    runs: Runs
    feeder: Feeder
    events: Events
    installs: Installs
    sign_ins: Rate

    @property
    def tasks(self) -> TaskStore:
        """Those of the service."""
        return self.service.tasks

    def link(self, address: str) -> str:
        """A new one-time link for a browser that reaches the service at ``address``; earlier ones end."""
        public = self.service.settings.public_url.rstrip("/")
        return f"{public or address}{PATH}/open?token={self.sessions.token()}"


def mount(app: FastAPI, service: Service) -> Studio:
    """Add the Studio to an application, and begin with what waits."""
    uploads, runs = Uploads(service), Runs(service.db, service.tasks)
    studio = Studio(
        service=service,
        base=urlsplit(service.settings.public_url).path.rstrip("/") + PATH,
        pages=frozenset(route.path for route in ROUTES if route.method == "GET"),
        sessions=Sessions(service.keys, service.settings.new_account_credits),
        uploads=uploads,
        runs=runs,
        feeder=Feeder(service, runs, uploads),
        events=Events(service),
        installs=Installs(service),
        sign_ins=Rate(SIGN_INS_PER_MINUTE),
    )
    service.at_drain += [studio.feeder.stop, studio.installs.close]
    for route in ROUTES:
        _add(app, studio, route)

    @app.get(f"{PATH}/static/{{version}}/styles.jpg")
    async def _(version: str) -> Response:
        return await service.lanes.run(static.serve_sheet, heavy=True)

    @app.get(f"{PATH}/static/{{version}}/{{name}}")
    async def _(request: Request, version: str, name: str) -> Response:
        return static.serve(request, name)

    @app.post(f"{PATH}/uploads")
    async def _(request: Request) -> Response:
        return await _guarded(studio, request, lambda ask: _upload(studio, ask))

    @app.get(f"{PATH}/runs/{{run}}/events")
    async def _(request: Request) -> Response:
        return await _guarded(studio, request, lambda ask: studio.events.stream(ask))

    studio.feeder.start()
    return studio


def _add(app: FastAPI, studio: Studio, route: Route) -> None:
    async def endpoint(request: Request) -> Response:
        async def answer(ask: Ask) -> Response:
            if request.method == "POST":
                ask.fields = await _form(studio, request)
            work = partial(_perform, studio, ask, route.handler)
            return await studio.service.lanes.run(work, heavy=route.heavy, writes=route.writes)

        return await _guarded(studio, request, answer, open_to_all=route.open_to_all, operator=route.operator)

    app.add_api_route(PATH + route.path, endpoint, methods=[route.method], include_in_schema=False)


def _perform(studio: Studio, ask: Ask, handler: Handler) -> Response:
    with studio.service.needed():
        return handler(ask)


async def _guarded(
    studio: Studio,
    request: Request,
    answer: Callable[[Ask], Awaitable[Response]],
    *,
    open_to_all: bool = False,
    operator: bool = False,
) -> Response:
    """What ``answer`` answers whoever may ask it; every refusal as a page, or as a sentence where a piece was asked."""
    service = studio.service
    language = language_for(request.cookies.get("restyle_language"), request.headers.get("accept-language", ""))
    theme = request.cookies.get("restyle_theme", THEMES[0])
    ask = Ask(studio, request, None, language, theme if theme in THEMES else THEMES[0])
    try:
        if request.method == "POST" and not sent_from_here(request, service.settings.public_url):
            raise Refused(403, Code.SIGNATURE_MISMATCH, "this request did not come from a page of this service")
        cookie = request.cookies.get(COOKIE, "")
        if cookie:
            ask.who = await service.lanes.run(partial(_session, studio, cookie), heavy=False)
        if ask.who is None and not open_to_all:
            if request.method == "POST" and not ask.in_part:
                raise Refused(401, Code.KEY_NOT_FOUND, "the session has ended; sign in again")
            return lead(ask, f"/sign-in?to={request.url.path.removeprefix(PATH)}" if not ask.in_part else "/sign-in")
        if operator and not (ask.who and ask.who.operator):
            raise HTTPException(404)
        return await answer(ask)
    except ClientDisconnect:
        return Response(status_code=400)
    except HTTPException as error:
        return _failure(ask, error.status_code, ask.say("There is nothing here, or it is not yours to see."))
    except RestyleError as error:
        status = error.status if isinstance(error, Refused) else 409
        if error.code is Code.INTERNAL_ERROR:
            return _broken(ask, error)
        return _failure(ask, status, in_words(error, ask.say), error)
    except Exception as error:  # noqa: BLE001 - the last line of defence, as at the wire's endpoint
        return _broken(ask, error)


def _session(studio: Studio, cookie: str) -> Visitor | None:
    with studio.service.needed():
        return studio.sessions.read(cookie)


def _broken(ask: Ask, error: Exception) -> Response:
    incident = secrets.token_hex(6)
    log.error("internal error", incident=incident, path=ask.request.url.path, exc_info=error)
    message = ask.say("Something is broken. Quote {incident} to whoever runs the service.", incident=incident)
    return _failure(ask, 500, message)


def _failure(ask: Ask, status: int, message: str, error: RestyleError | None = None) -> Response:
    headers = error.headers if isinstance(error, Refused) else {}
    if ask.in_part:
        extra = {**headers, "HX-Retarget": "#notice", "HX-Reswap": "innerHTML"}
        return page(ask, "parts/notice.html", status, extra, message=message)
    if "application/json" in ask.request.headers.get("accept", ""):
        return Response(json.dumps({"error": message}), status, {**HEADERS, **headers}, "application/json")
    return page(ask, "failure.html", status, headers, message=message, status=status)


async def _form(studio: Studio, request: Request) -> list[tuple[str, str]]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise Refused(415, Code.BODY_NOT_OBJECT, "the form was not sent as a browser sends one")
    async with _body(studio, request, FORM_BYTES) as raw:
        try:
            return parse_qsl(bytes(raw).decode(), keep_blank_values=True, max_num_fields=FORM_FIELDS)
        except ValueError:
            raise Refused(400, Code.BODY_NOT_OBJECT, "the form cannot be read") from None


def _body(studio: Studio, request: Request, cap: int) -> AbstractAsyncContextManager[bytearray]:
    service = studio.service

    async def known(head: bytes) -> bool:
        return True  # the session was checked before

    return received(request, service.bodies, cap, service.settings.body_seconds, known)


async def _upload(studio: Studio, ask: Ask) -> Response:
    """A picture, as the body of a request: through the limits and checkers that the wire's pictures go through."""
    service = studio.service
    async with _body(studio, ask.request, service.settings.max_image_bytes) as raw:
        data = bytes(raw)
    work = partial(_perform, studio, ask, partial(pictures.added, data=data, name=ask.query("name")))
    return await service.submissions.run(ask.account, work)
