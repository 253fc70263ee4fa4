"""The shelf of styles: pictures with a name, to be chosen instead of an upload.

The one place where the Studio learns what styles there are. ``styles`` lists them for an account and ``picture`` gives
the file of one.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from restyle.http.service import Service
from restyle.images.decode import check_pixels, read_frame, views
from restyle.images.encode import encode
from restyle.images.limits import Limits
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

PREFIX = "style:"
"""Before a code, where either a style or an upload may stand."""
THUMBNAIL_SIDE = 240
THUMBNAIL_QUALITY = 85
FOLDER = Path(__file__).parents[3] / "examples" / "styles"


@dataclass(frozen=True, slots=True)
class ShelfStyle:
    """A style by the code that requests name it with."""

    code: str
    name: str
    official: bool

    @property
    def value(self) -> str:
        """What a form says for it."""
        return f"{PREFIX}{self.code}"


def styles(service: Service, account_id: int) -> list[ShelfStyle]:
    """All styles that the account may use, in the order of the shelf."""
    return [ShelfStyle(code, code.replace("-", " ").capitalize(), official=True) for code in _shipped()]


def picture(service: Service, account_id: int, code: str) -> bytes:
    """The file of a style. Raises RestyleError (4004) where the account has none of that code."""
    path = _shipped().get(code)
    if path is None:
        raise RestyleError(Code.MODEL_NOT_FOUND, f"there is no style called {code[:64]}; choose another", field="style")
    return path.read_bytes()


def thumbnail(service: Service, account_id: int, code: str, side: int = THUMBNAIL_SIDE) -> bytes:
    """A JPEG of a style, no side longer than ``side`` pixels. Raises RestyleError as :func:`picture`."""
    return _thumbnail(picture(service, account_id, code), side)


@cache
def _thumbnail(data: bytes, side: int) -> bytes:
    limits = Limits(len(data), 64_000_000)
    frame = read_frame(data, limits, field="style")
    check_pixels(data, frame, field="style")
    _, made = views(data, frame, [side], field="style")
    return encode(made[0], None, "JPEG", THUMBNAIL_QUALITY)


@cache
def _shipped() -> dict[str, Path]:
    return {path.stem: path for path in sorted(FOLDER.glob("*.jpg"))}
