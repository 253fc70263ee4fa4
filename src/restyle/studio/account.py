"""The user centre: keys of the account, its credits, and where they went."""

import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from fastapi import Response
from starlette.exceptions import HTTPException

from restyle.accounts import credits
from restyle.accounts.keys import KeySummary
from restyle.database import reading, tasks
from restyle.queue.record import Status
from restyle.studio.ask import Ask
from restyle.studio.form import in_words
from restyle.studio.page import lead, page
from restyle.studio.route import Route
from restyle.studio.sign_in import stay
from restyle.wire.errors import RestyleError

DAYS = 30
DAY = 24 * 3600
MOST_KEYS = 100
"""Of one account."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A day of the chart: Unix seconds of its beginning (UTC), credits used, and its height, 0..1 of the highest."""

    day: float
    credits: int
    height: float


def account(ask: Ask) -> Response:
    """The page."""
    return _page(ask)


def create(ask: Ask) -> Response:
    """One more pair of keys. Its private half is shown on this page and never again."""
    if len(_own(ask)) >= MOST_KEYS:
        return _page(ask, error=ask.say("An account has {most} keys at most.", most=MOST_KEYS))
    try:
        pair = ask.studio.service.keys.add(
            ask.account, name=ask.given("name").strip(), requires_timestamp=ask.given("timestamps") == "on"
        )
    except RestyleError as error:
        return _page(ask, error=in_words(error, ask.say), name=ask.given("name"))
    return _page(ask, fresh=(pair.public_key, pair.private_key))


def rename(ask: Ask) -> Response:
    """Another name for a key."""
    try:
        ask.studio.service.keys.rename(_key(ask).public_key, ask.given("name").strip())
    except RestyleError as error:
        return _page(ask, error=in_words(error, ask.say))
    return lead(ask, "/account")


def disable(ask: Ask) -> Response:
    """Refuse a key from now on, and end the sessions that it began."""
    key = _key(ask)
    ask.studio.service.keys.disable(key.public_key)
    assert ask.who is not None
    return lead(ask, "/sign-in" if key.public_key == ask.who.public_key else "/account")


def enable(ask: Ask) -> Response:
    """Take a key again."""
    ask.studio.service.keys.enable(_key(ask).public_key)
    return lead(ask, "/account")


def rotate(ask: Ask) -> Response:
    """A new private half for a key, shown once. Sessions that the old one began end, but for this one."""
    key = _key(ask)
    fresh = key.public_key, ask.studio.service.keys.rotate(key.public_key)
    response = _page(ask, fresh=fresh)
    assert ask.who is not None
    if key.public_key == ask.who.public_key:
        stay(ask, response)
    return response


def _page(ask: Ask, fresh: tuple[str, str] | None = None, error: str = "", name: str = "") -> Response:
    balance = credits.balance(ask.studio.service.db, ask.account)
    bars = _bars(ask)
    values: dict[str, Any] = {
        "keys": _own(ask),
        "fresh": fresh,
        "error": error,
        "name": name,
        "balance": balance,
        "bars": bars,
    }
    return page(ask, "account.html", 422 if error else 200, **values, used=sum(bar.credits for bar in bars))


def _own(ask: Ask) -> list[KeySummary]:
    return ask.studio.service.keys.list(ask.account)


def _key(ask: Ask) -> KeySummary:
    """The account's key that the path names. Raises HTTPException (404)."""
    for key in _own(ask):
        if key.public_key == ask.path("key"):
            return key
    raise HTTPException(404)


def _bars(ask: Ask) -> list[Bar]:
    """Credits that tasks of the last days took and kept, a bar a day."""
    today = time.time() // DAY
    since = (today - DAYS + 1) * DAY
    query = sa.select(tasks.c.created, tasks.c.cost).where(
        tasks.c.account_id == ask.account, tasks.c.status != Status.ERROR, tasks.c.created >= since
    )
    used: Counter[float] = Counter()
    with reading(ask.studio.service.db) as connection:
        for created, cost in connection.execute(query):
            used[created // DAY] += cost
    highest = max(used.values(), default=0) or 1
    days = [today - DAYS + 1 + number for number in range(DAYS)]
    return [Bar(day * DAY, used[day], used[day] / highest) for day in days]


ROUTES = (
    Route("GET", "/account", account),
    Route("POST", "/account/keys", create, writes=True),
    Route("POST", "/account/keys/{key}/rename", rename, writes=True),
    Route("POST", "/account/keys/{key}/disable", disable, writes=True),
    Route("POST", "/account/keys/{key}/enable", enable, writes=True),
    Route("POST", "/account/keys/{key}/rotate", rotate, writes=True),
)
