"""The account's tasks, a page at a time, with filters and search."""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import sqlalchemy as sa
from fastapi import Response

from restyle.database import reading, tasks
from restyle.queue.record import Status
from restyle.studio.ask import Ask
from restyle.studio.cards import cards
from restyle.studio.page import page
from restyle.studio.route import Route
from restyle.studio.runs import plan_of

A_PAGE = 24
MOST_TEXT = 200


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of the history is shown. Empty is all; ``before`` is the number of a task, and older ones are shown."""

    text: str
    state: str
    model: str
    before: int

    def query(self, **changes: object) -> str:
        """The part of an address that asks for this."""
        values = {"q": self.text, "state": self.state, "model": self.model, **changes}
        return urlencode({name: value for name, value in values.items() if value})


def history(ask: Ask) -> Response:
    """A page of the history."""
    before = ask.query("before")
    wanted = Wanted(
        ask.query("q").strip()[:MOST_TEXT],
        ask.query("state") if ask.query("state") in set(Status) else "",
        ask.query("model")[:MOST_TEXT],
        int(before) if before.isascii() and before.isdecimal() and len(before) < 19 else 0,
    )
    rows = _rows(ask, wanted)
    more = rows[A_PAGE - 1][0] if len(rows) > A_PAGE else 0
    plans = {uid: plan for _, uid, text in rows[:A_PAGE] if (plan := plan_of(text)) is not None}
    uids = [uid for _, uid, _ in rows[:A_PAGE]]
    made_for = ask.studio.runs.of_tasks(uids)
    records = ask.studio.tasks.details(ask.account, uids)
    found = cards(ask, [(made_for.get(record.uid), record) for record in records])
    values: dict[str, Any] = {
        "cards": found,
        "plans": plans,
        "wanted": wanted,
        "more": more,
        "models": _models(ask),
        "states": [*Status],
    }
    return page(ask, "history.html", **values)


def _rows(ask: Ask, wanted: Wanted) -> list[tuple[int, str, str]]:
    """Numbers, uids and plans of the newest tasks that are wanted, and one more than a page holds."""
    spec = sa.cast(tasks.c.spec, sa.Text)
    query = sa.select(tasks.c.id, tasks.c.uid, spec).where(tasks.c.account_id == ask.account)
    if wanted.before:
        query = query.where(tasks.c.id < wanted.before)
    if wanted.state:
        query = query.where(tasks.c.status == wanted.state)
    if wanted.model:
        query = query.where(spec.contains(f'"model": {json.dumps(wanted.model)}', autoescape=True))
    if wanted.text:
        query = query.where(sa.or_(tasks.c.uid.startswith(wanted.text.lower(), autoescape=True), _in_prompts(wanted)))
    with reading(ask.studio.service.db) as connection:
        rows = connection.execute(query.order_by(tasks.c.id.desc()).limit(A_PAGE + 1))
        return [(row[0], row[1], row[2]) for row in rows]


def _in_prompts(wanted: Wanted) -> sa.ColumnElement[bool]:
    """Whether a stored plan has the text in its prompts, which stand one after the other in its JSON.

    The text is looked for as JSON spells it. No plan is parsed for it, so one that cannot be read spoils nothing.
    """
    spelt = json.dumps(wanted.text.lower())[1:-1]
    escaped = spelt.replace("/", "//").replace("%", "/%").replace("_", "/_")
    pattern = f'%"positive/_prompts": [%{escaped}%"translate/_prompts"%'
    return sa.func.lower(sa.cast(tasks.c.spec, sa.Text)).like(pattern, escape="/")


def _models(ask: Ask) -> list[str]:
    return list(ask.studio.service.registry.mains)


ROUTES = (Route("GET", "/history", history),)
