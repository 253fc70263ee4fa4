"""For the operator: models and installs, the queue and its workers, failures, accounts and limits."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from fastapi import Response
from starlette.exceptions import HTTPException

from restyle.accounts import credits
from restyle.database import reading, tasks
from restyle.queue.record import Status
from restyle.settings import Settings
from restyle.studio.ask import Ask
from restyle.studio.form import in_words
from restyle.studio.installs import Offer
from restyle.studio.models import KINDS, shown_models
from restyle.studio.page import lead, page
from restyle.studio.route import Route
from restyle.wire.errors import RestyleError

FAILURES = 25
LIMITS = (
    "max_unfinished_tasks",
    "max_queued_tasks",
    "requests_per_minute",
    "max_body_bytes",
    "max_image_bytes",
    "max_image_pixels",
    "task_seconds",
    "result_seconds",
    "record_seconds",
    "upload_bytes",
    "max_favourites",
    "max_styles",
    "max_styles_bytes",
)


def overview(ask: Ask) -> Response:
    """The queue, its workers, and what went wrong lately."""
    return page(ask, "operator/overview.html", **_live(ask), failures=_failures(ask))


def live(ask: Ask) -> Response:
    """The part that is asked for again and again."""
    return page(ask, "operator/live.html", **_live(ask))


def models(ask: Ask) -> Response:
    """All models with their state, and what can be installed."""
    service = ask.studio.service
    shown = shown_models(service.registry, service.settings)
    return page(ask, "operator/models.html", models=shown, kinds=KINDS, **_installs(ask))


def installs(ask: Ask) -> Response:
    """How installs come on."""
    return page(ask, "operator/installs.html", **_installs(ask))


def install(ask: Ask) -> Response:
    """Begin an install, once the licences of what comes are accepted."""
    offer = _offer(ask)
    if offer.open and ask.given("accept") != "on":
        refused = {offer.name: ask.say("Read the licences and accept them first.")}
        return page(ask, "operator/installs.html", 422, **_installs(ask, refused))
    ask.studio.installs.begin(offer)
    return installs(ask)


def stop_install(ask: Ask) -> Response:
    """End an install; what came stays."""
    ask.studio.installs.stop(_offer(ask).name)
    return installs(ask)


def _installs(ask: Ask, refused: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What can be installed, or why nobody can tell."""
    draws = ask.studio.service.settings.role != "api"
    values: dict[str, Any] = {"refused": refused or {}, "offers": [], "broken": "", "draws": draws}
    try:
        values["offers"] = ask.studio.installs.offers() if draws else []
    except RestyleError as error:
        values["broken"] = error.message
    return values


def _offer(ask: Ask) -> Offer:
    """What the path names. Raises HTTPException (404)."""
    for offer in ask.studio.installs.offers():
        if offer.name == ask.path("name") and not offer.error:
            return offer
    raise HTTPException(404)


def accounts(ask: Ask) -> Response:
    """Accounts with their keys and credits, and the limits that all share."""
    return _accounts(ask)


def give(ask: Ask) -> Response:
    """Give an account credits, or take back what it has not used."""
    account, text = ask.whole("account"), ask.given("credits").strip()
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 12 and int(digits)):
        return _accounts(ask, ask.say("Give a whole number of credits, such as 100, or -100 to take them back."))
    amount = int(text)
    try:
        if amount > 0:
            credits.give(ask.studio.service.db, account, amount)
        else:
            credits.take(ask.studio.service.db, account, -amount)
    except RestyleError as error:
        return _accounts(ask, in_words(error, ask.say))
    except LookupError:
        raise HTTPException(404) from None
    return lead(ask, "/operator/accounts")


def create(ask: Ask) -> Response:
    """A new account with its first pair of keys, whose private half is shown once."""
    service = ask.studio.service
    try:
        pair = service.keys.create(credits=service.settings.new_account_credits, name=ask.given("name").strip())
    except RestyleError as error:
        return _accounts(ask, in_words(error, ask.say))
    return _accounts(ask, fresh=(pair.public_key, pair.private_key))


def switch(ask: Ask) -> Response:
    """Disable a key of any account, or take it again."""
    keys = ask.studio.service.keys
    if keys.find(ask.path("key")) is None:
        raise HTTPException(404)
    (keys.disable if ask.path("to") == "disable" else keys.enable)(ask.path("key"))
    return lead(ask, "/operator/accounts")


def _accounts(ask: Ask, error: str = "", fresh: tuple[str, str] | None = None) -> Response:
    settings = ask.studio.service.settings
    limits = [(name, Settings.model_fields[name].description, getattr(settings, name)) for name in LIMITS]
    found = ask.studio.service.keys.list()
    grouped = {key.account_id: [each for each in found if each.account_id == key.account_id] for key in found}
    values: dict[str, Any] = {"accounts": grouped, "limits": limits, "error": error, "fresh": fresh}
    return page(ask, "operator/accounts.html", 422 if error else 200, **values)


def _live(ask: Ask) -> dict[str, Any]:
    service = ask.studio.service
    return {
        "counts": service.tasks.counts(),
        "workers": service.workforce.workers(),
        "machines": [] if service.fleet is None else service.fleet.membership.others(),
        "trouble": service.workforce.trouble(),
        "ended": _ended(ask),
    }


def _ended(ask: Ask) -> dict[str, int]:
    """How many of the tasks that are on record ended well, and how many did not."""
    query = sa.select(tasks.c.status, sa.func.count()).where(tasks.c.status.in_((Status.FINISHED, Status.ERROR)))
    with reading(ask.studio.service.db) as connection:
        found = {row[0]: row[1] for row in connection.execute(query.group_by(tasks.c.status))}
    return {status.value: found.get(status, 0) for status in (Status.FINISHED, Status.ERROR)}


def _failures(ask: Ask) -> list[sa.Row[tuple[str, int, int, str, float]]]:
    """The latest tasks that ended in an error, whoever's; without their pictures and prompts."""
    columns = tasks.c.uid, tasks.c.account_id, tasks.c.error_code, tasks.c.error_message, tasks.c.finished
    query = sa.select(*columns).where(tasks.c.status == Status.ERROR).order_by(tasks.c.id.desc()).limit(FAILURES)
    with reading(ask.studio.service.db) as connection:
        return list(connection.execute(query))


ROUTES = (
    Route("GET", "/operator", overview, operator=True),
    Route("GET", "/operator/live", live, operator=True),
    Route("GET", "/operator/models", models, operator=True),
    Route("GET", "/operator/installs", installs, operator=True),
    Route("POST", "/operator/installs/{name}", install, operator=True),
    Route("POST", "/operator/installs/{name}/stop", stop_install, operator=True),
    Route("GET", "/operator/accounts", accounts, operator=True),
    Route("POST", "/operator/accounts", create, writes=True, operator=True),
    Route("POST", "/operator/accounts/{account}/credits", give, writes=True, operator=True),
    Route("POST", "/operator/keys/{key}/{to}", switch, writes=True, operator=True),
)
