"""Pictures as they come in a request: Base64 text to the bytes of a file that is worth a worker's time."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pybase64

from restyle.http.envelope import later, stopping
from restyle.images.checking.pool import Checkers, Overdue
from restyle.images.checking.turns import Closed
from restyle.images.thumbnail import SIDE
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

DATA_URL = re.compile(r"\s*data:image/[a-z0-9.+-]+;base64,", re.IGNORECASE)
WHITE_SPACE = str.maketrans("", "", " \t\r\n\f\v")
RETRY_SECONDS = 5


def read_pictures(texts: Sequence[str], used: Sequence[int], checkers: Checkers, account: int) -> dict[int, bytes]:
    """The files at the indexes ``used``, as they came, after every one of ``texts`` has been looked at.

    Raises RestyleError (4003) naming ``ImageList[i]``, and Refused (503, 4009) when there is no time to look.
    """
    kept: dict[int, bytes] = {}
    for index, text in enumerate(texts):
        field = f"ImageList[{index}]"
        data = from_base64(text, field)
        with _in_time(field):
            checkers.look(account, data, field=field, decode=index in used)
        if index in used:
            kept[index] = data
    return kept


def looked_at(data: bytes, checkers: Checkers, account: int, *, field: str) -> bytes:
    """A thumbnail, a small JPEG, of the file ``data``. Raises as :func:`read_pictures`."""
    with _in_time(field):
        return checkers.view(account, data, (SIDE,), field=field).files[0]


@contextmanager
def _in_time(field: str) -> Iterator[None]:
    try:
        yield
    except Closed:
        raise stopping() from None
    except Overdue:
        message = f"the machine is too busy to look at {field}; try again in a few seconds"
        raise later(503, Code.QUEUE_FULL, message, RETRY_SECONDS) from None


def from_base64(text: str, field: str) -> bytes:
    """The bytes that ``text`` stands for: Base64 with or without white space, bare or a data URL of an image.

    Raises RestyleError (4003) naming ``field``.
    """
    prefix = DATA_URL.match(text)
    if prefix is not None:
        text = text[prefix.end() :]
    elif text[:64].lstrip()[:5].lower() == "data:":
        raise _unreadable(field, "is a data URL, but does not begin with data:image/<format>;base64,")
    try:
        return pybase64.b64decode(text, validate=True)
    except ValueError:
        pass  # white space, or a fault to name
    text = text.translate(WHITE_SPACE) if text.isascii() else text
    try:
        return pybase64.b64decode(text, validate=True)
    except ValueError:
        raise _unreadable(field, _fault(text)) from None


def _fault(text: str) -> str:
    strange = re.search(r"[^A-Za-z0-9+/=]", text)
    if strange is not None and strange[0] in "-_":
        return f'holds "{strange[0]}" of URL-safe Base64; send the standard letters + and /'
    if strange is not None:
        return f"is not Base64: it holds {strange[0]!a}"
    return "is not Base64: its length or its padding is wrong, so it may have been cut off"


def _unreadable(field: str, what: str) -> RestyleError:
    return RestyleError(Code.IMAGE_UNREADABLE, f"{field} {what}", field=field)
