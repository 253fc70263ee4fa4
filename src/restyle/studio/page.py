"""Pages from templates: what each of them may use, and the headers they go out with."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from fastapi import Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from restyle.studio import static
from restyle.studio.language import languages

if TYPE_CHECKING:
    from restyle.studio.ask import Ask

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Nothing from elsewhere, and no script or style that stands in a page."""
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
THEMES = ("auto", "light", "dark")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("restyle.studio"),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shown = {"moment": _moment, "day": _day, "number": _number, "megabytes": _megabytes, "clock": _clock}
    environment.filters |= shown
    return environment


def render(ask: "Ask", template: str, **values: Any) -> str:
    """A template as text."""
    known: Mapping[str, Any] = {
        "ask": ask,
        "_": ask.say,
        "base": ask.studio.base,
        "assets": f"{ask.studio.base}/static/{static.version()}",
        "visitor": ask.visitor,
        "languages": languages().values(),
        "theme": ask.theme,
        "now": time.time(),
    }
    return _environment().get_template(template).render(**{**known, **values})


def page(
    ask: "Ask", template: str, code: int = 200, headers: Mapping[str, str] | None = None, **values: Any
) -> Response:
    """A template as an answer."""
    text = render(ask, template, **values)
    return Response(text, code, {**HEADERS, **(headers or {})}, "text/html; charset=utf-8")


def lead(ask: "Ask", path: str) -> Response:
    """Lead the browser to ``path`` of the Studio, whichever way it asked."""
    where = f"{ask.studio.base}{path}"
    if ask.in_part:
        return Response(status_code=204, headers={**HEADERS, "HX-Redirect": where})
    return Response(status_code=303, headers={**HEADERS, "Location": where})


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")


def _number(value: float) -> str:
    return f"{value:,}"


def _megabytes(size: float) -> str:
    if size < 1e5:
        return f"{size / 1e3:,.1f} kB"
    return f"{size / 1e6:,.1f} MB" if size < 1e9 else f"{size / 1e9:,.1f} GB"


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
