"""Favourites: results that stay until their owner takes the star away, with what is needed to make them again."""

import math
from contextlib import suppress

from fastapi import Response
from starlette.exceptions import HTTPException

from restyle.studio.ask import Ask
from restyle.studio.cards import cards
from restyle.studio.page import lead, page
from restyle.studio.route import Route
from restyle.wire.errors import RestyleError

A_PAGE = 24


def favourites_page(ask: Ask) -> Response:
    """A page of them."""
    service = ask.studio.service
    records = service.favourites.list(ask.account, count=A_PAGE + 1, before=_before(ask))
    more = records[A_PAGE - 1].favourite if len(records) > A_PAGE else None
    records = records[:A_PAGE]
    made_for = ask.studio.runs.of_tasks([record.uid for record in records])
    return page(
        ask,
        "favourites.html",
        cards=cards(ask, [(made_for.get(record.uid), record) for record in records]),
        more=more,
        used=service.favourites.pictures(ask.account),
        most=service.settings.max_favourites,
    )


def toggle(ask: Ask) -> Response:
    """A task becomes a favourite, or is one no longer."""
    uid, favourites = ask.path("uid"), ask.studio.service.favourites
    try:
        liked = ask.studio.tasks.details(ask.account, [uid])[0].favourite is not None
    except RestyleError:
        raise HTTPException(404) from None
    (favourites.unmark if liked else favourites.mark)(ask.account, uid)
    return page(ask, "parts/star.html", uid=uid, liked=not liked)


def remove(ask: Ask) -> Response:
    """One is a favourite no longer."""
    with suppress(RestyleError):  # its record is gone already
        ask.studio.service.favourites.unmark(ask.account, ask.path("uid"))
    return lead(ask, "/favourites")


def _before(ask: Ask) -> float | None:
    """When those of the page before end; None for the first."""
    try:
        moment = float(ask.query("before"))
    except ValueError:
        return None
    return moment if math.isfinite(moment) else None


ROUTES = (
    Route("GET", "/favourites", favourites_page),
    Route("POST", "/tasks/{uid}/favourite", toggle, writes=True),
    Route("POST", "/favourites/{uid}/remove", remove, writes=True),
)
