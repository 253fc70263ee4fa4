"""Signing in and out, and what a browser is remembered for: language and light."""

from fastapi import Response

from restyle.accounts.keys import Key
from restyle.http.limits import address_of
from restyle.studio.ask import Ask
from restyle.studio.language import languages
from restyle.studio.page import THEMES, lead, page
from restyle.studio.route import Route
from restyle.studio.visitor import COOKIE, SESSION_SECONDS

YEAR = 365 * 24 * 3600


def sign_in(ask: Ask) -> Response:
    """The page with the form."""
    if ask.who is not None:
        return lead(ask, "/")
    return page(ask, "sign_in.html", to=_inside(ask.query("to")), public_key="", error="")


def check(ask: Ask) -> Response:
    """Whoever has both halves of a pair of keys is signed in."""
    ask.studio.sign_ins.take(address_of(ask.request))
    public_key, to = ask.given("public_key").strip(), _inside(ask.given("to"))
    key = ask.studio.sessions.check(public_key, ask.given("private_key").strip())
    if key is None:
        error = ask.say("These two keys do not belong together, or they are disabled.")
        return page(ask, "sign_in.html", 422, to=to, public_key=public_key, error=error)
    return _signed_in(ask, key, to)


def open_link(ask: Ask) -> Response:
    """The page that a one-time link leads to. It asks for a click, since some programs open every link they see."""
    return page(ask, "open.html", token=ask.query("token"))


def redeem(ask: Ask) -> Response:
    """Whoever brings the one-time link first is signed in as the operator."""
    ask.studio.sign_ins.take(address_of(ask.request))
    key = ask.studio.sessions.redeem(ask.given("token"))
    if key is None:
        error = ask.say("This link was used already, or is not of this service. Its next start prints a new one.")
        return page(ask, "sign_in.html", 422, to="/", public_key="", error=error)
    return _signed_in(ask, key, "/")


def sign_out(ask: Ask) -> Response:
    """End the session of this browser."""
    response = lead(ask, "/sign-in")
    response.delete_cookie(COOKIE, path=ask.studio.base)
    return response


def prefer(ask: Ask) -> Response:
    """Remember a language or a theme, and show the page again."""
    response = lead(ask, _inside(ask.given("to")))
    for name, known in (("language", languages()), ("theme", THEMES)):
        if (value := ask.given(name)) in known:
            response.set_cookie(f"restyle_{name}", value, max_age=YEAR, path=ask.studio.base, samesite="lax")
    return response


def _signed_in(ask: Ask, key: Key, to: str) -> Response:
    return _with_cookie(ask, lead(ask, to), key)


def stay(ask: Ask, response: Response) -> None:
    """Keep this browser signed in though the private half of its key is another now."""
    assert ask.who is not None
    key = ask.studio.service.keys.find(ask.who.public_key)
    assert key is not None
    _with_cookie(ask, response, key)


def _with_cookie(ask: Ask, response: Response, key: Key) -> Response:
    response.set_cookie(
        COOKIE,
        ask.studio.sessions.cookie(key),
        max_age=SESSION_SECONDS,
        path=ask.studio.base,
        httponly=True,
        samesite="lax",
        secure=ask.request.url.scheme == "https",
    )
    return response


def _inside(path: str) -> str:
    """A path of the Studio to go on to; its first page for anything else."""
    plain = path.isascii() and path.isprintable() and "\\" not in path
    return path if plain and path.startswith("/") and not path.startswith("//") else "/"


ROUTES = (
    Route("GET", "/sign-in", sign_in, open_to_all=True),
    Route("POST", "/sign-in", check, open_to_all=True),
    Route("GET", "/open", open_link, open_to_all=True),
    Route("POST", "/open", redeem, writes=True, open_to_all=True),
    Route("POST", "/sign-out", sign_out, open_to_all=True),
    Route("POST", "/preferences", prefer, open_to_all=True),
)
