"""The shelf of styles as pages name them: a style of the account's own or an official one, instead of an upload."""

from dataclasses import dataclass

from restyle.http import styles
from restyle.http.service import Service
from restyle.studio.language import Language
from restyle.styles.official import PICTURES

PREFIX = "style:"
"""Before a StyleCode, where either a style or an upload may stand."""


@dataclass(frozen=True, slots=True)
class ShelfStyle:
    """A style by the code that requests name it with; ``name`` is what people are shown. ``place`` is that of an
    official one on the sheet of all, None for an account's own.
    """

    code: str
    name: str
    place: int | None

    @property
    def official(self) -> bool:
        """Whether it is everybody's."""
        return self.place is not None

    @property
    def value(self) -> str:
        """What a form says for it."""
        return f"{PREFIX}{self.code}"


def shelf(service: Service, account_id: int, say: Language) -> list[ShelfStyle]:
    """All styles that the account may use, in the order of the shelf."""
    places = {code: place for place, code in enumerate(PICTURES)}
    return [
        ShelfStyle(each.code, say(each.name), places[each.code])
        if each.is_official
        else ShelfStyle(each.code, each.name, None)
        for each in styles.shelf(service, account_id)
    ]


def picture(service: Service, account_id: int, code: str) -> bytes:
    """The file of a style. Raises RestyleError (4012) where the account has none of that code."""
    return styles.find(service, account_id, code).picture
