"""One request to the Studio: who asks, in which language, and what the form says."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fastapi import Request
from starlette.exceptions import HTTPException

from restyle.studio.language import Language
from restyle.studio.visitor import COOKIE, Visitor

if TYPE_CHECKING:
    from restyle.studio.app import Studio

PATH = "/studio"
"""Where the service has the Studio; a proxy may put something before it."""


@dataclass(slots=True)
class Ask:
    """``fields`` are those of a form that was sent, ``theme`` is auto, light or dark."""

    studio: "Studio"
    request: Request
    who: Visitor | None
    say: Language
    theme: str
    fields: list[tuple[str, str]] = field(default_factory=list)

    @property
    def visitor(self) -> Visitor | None:
        """Who is signed in, if anybody."""
        return self.who

    @property
    def account(self) -> int:
        """The account of whoever is signed in, as on all pages but the first."""
        assert self.who is not None
        return self.who.account_id

    @property
    def cookie(self) -> str:
        """What proves the session."""
        return self.request.cookies.get(COOKIE, "")

    @property
    def here(self) -> str:
        """The page that is shown, within the Studio: of what a form was sent to, the page above it."""
        path = self.request.url.path.removeprefix(PATH)
        while self.request.method == "POST" and path not in self.studio.pages:
            path = path.rpartition("/")[0]
        return path or "/"

    @property
    def in_part(self) -> bool:
        """Whether a piece of a page is asked for."""
        return "hx-request" in self.request.headers

    def given(self, name: str, default: str = "") -> str:
        """A field of the form that was sent."""
        return next((value for key, value in self.fields if key == name), default)

    def query(self, name: str, default: str = "") -> str:
        """A parameter of the address."""
        return self.request.query_params.get(name, default)

    def path(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])

    def whole(self, name: str) -> int:
        """A part of the path that is a small number. Raises HTTPException (404) where it is none."""
        text = self.path(name)
        if not (text.isascii() and text.isdecimal() and len(text) < 6):
            raise HTTPException(404)
        return int(text)
