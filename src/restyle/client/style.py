"""A kept style as a client sees it."""

from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from restyle.conversion.options import Options, over
from restyle.conversion.style import StyleSettings, of_wire


@dataclass(frozen=True, slots=True)
class Style:
    """``code`` is what ``style`` takes, ``name`` what people are shown; ``thumbnail`` a JPEG, where it was asked for.

    ``is_official`` tells those of the service from those of the account; ``created`` is Unix seconds.
    """

    code: str
    name: str
    is_official: bool
    settings: StyleSettings = field(repr=False)
    thumbnail: bytes | None = field(default=None, repr=False)
    created: int | None = None

    @property
    def options(self) -> Options:
        """What it keeps, as the options that would say the same."""
        return over(Options(), self.settings)

    @classmethod
    def read(cls, entry: Mapping[str, Any]) -> Self:
        """A ``StyleEntry`` of the wire. Raises KeyError, TypeError, ValueError or RestyleError for what is none."""
        thumbnail = entry.get("Thumbnail")
        return cls(
            code=str(entry["StyleCode"]),
            name=str(entry.get("Name") or entry["StyleCode"]),
            is_official=bool(entry.get("IsOfficial")),
            settings=of_wire(entry),
            thumbnail=None if thumbnail is None else b64decode(thumbnail, validate=True),
            created=entry.get("CreateTime"),
        )
