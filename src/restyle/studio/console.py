"""The console: each Action, to be tried with keys of one's own. The signing happens in the browser, to be watched."""

import json

from fastapi import Response

from restyle.http.envelope import HEADERS
from restyle.http.links import base_of
from restyle.http.openapi import document
from restyle.http.page import POLICY
from restyle.http.page import page as reference_page
from restyle.http.samples import PYTHON_START, python, shell, shell_start
from restyle.http.table import ACTIONS
from restyle.studio.ask import Ask
from restyle.studio.page import page
from restyle.studio.route import Route


def console(ask: Ask) -> Response:
    """The page, with the action that the address names."""
    name = ask.query("action")
    action = ACTIONS[name if name in ACTIONS else "ListModels"]
    address = base_of(ask.request, ask.studio.service.settings)
    asked = {"Action": action.name, "PublicKey": ask.who.public_key if ask.who else "", **action.asked}
    return page(
        ask,
        "console.html",
        actions=list(ACTIONS.values()),
        action=action,
        body=json.dumps(asked, indent=2, ensure_ascii=False),
        curl=shell_start(address) + shell(action.name),
        python=PYTHON_START + "\n" + python(action.name),
        endpoint=ask.studio.base.removesuffix("/studio") + "/",
    )


def documents(ask: Ask) -> Response:
    """What ``/docs`` shows, for whoever is signed in from wherever."""
    service = ask.studio.service
    text = reference_page(service.field_limits, base_of(ask.request, service.settings))
    return Response(text, media_type="text/html", headers={**HEADERS, "Content-Security-Policy": POLICY})


def openapi(ask: Ask) -> Response:
    """The same for programs."""
    service = ask.studio.service
    text = document(base_of(ask.request, service.settings), service.field_limits)
    return Response(text, media_type="application/json", headers=HEADERS)


ROUTES = (
    Route("GET", "/console", console),
    Route("GET", "/docs", documents),
    Route("GET", "/openapi.json", openapi),
)
