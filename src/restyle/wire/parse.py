"""Bytes of a request to the object they hold, by the strict reading of JSON (RFC 8259) and nothing more lenient."""

import json
from math import isfinite
from typing import Any, NoReturn

from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError
from restyle.wire.lift import LONG, lift
from restyle.wire.signature import Json

MAX_DEPTH = 32
"""Levels of arrays and objects in a body. The actions need four."""
MAX_COMMAS = 300_000
"""Commas in a body, counted before it is parsed: each may stand for a value that takes a hundred times its
bytes in memory. The longest lists of the longest prompts, made of nothing but commas, stay below."""


class NotAnObjectError(RestyleError):
    """The body is not one JSON object (4001); the text says what it is instead."""

    def __init__(self, message: str) -> None:
        super().__init__(Code.BODY_NOT_OBJECT, message)


def parse(raw: bytes | bytearray, *, use_up: bool = False) -> dict[str, Json]:
    """The JSON object in ``raw``. Raises NotAnObjectError for everything else.

    Stricter than ``json.loads`` where two readers could differ: no duplicate names, no NaN or Infinity, no number that
    overflows, no lone surrogate, UTF-8 only and without a byte order mark, at most ``MAX_DEPTH`` levels. ``use_up``
    empties a bytearray as soon as its text exists, so that a large body is held twice and not three times.
    """
    if not raw or raw.isspace():
        raise NotAnObjectError("the body is empty; send one JSON object")
    body = _parse_lifted(raw) if len(raw) >= LONG else None
    if body is None:
        body = _parse_whole(raw, use_up)
    elif use_up and isinstance(raw, bytearray):
        raw.clear()
    return body


def _parse_lifted(raw: bytes | bytearray) -> dict[str, Json] | None:
    """The object, the fast way. None where that way does not lead there; the other one then says what is wrong."""
    lifted = lift(raw)
    if not lifted.texts:
        return None
    try:
        body = _parse_whole(lifted.rest, use_up=False)
    except NotAnObjectError:
        return None
    return body if lifted.put_back(body) else None


def _parse_whole(raw: bytes | bytearray, use_up: bool) -> dict[str, Json]:
    if raw.count(b",") > MAX_COMMAS:
        raise NotAnObjectError(f"the body holds more than {MAX_COMMAS:,} values")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotAnObjectError(f"the body is not UTF-8: {error.reason} at byte {error.start}") from None
    if use_up and isinstance(raw, bytearray):
        raw.clear()
    try:
        value: Any = json.loads(text, object_pairs_hook=_unique, parse_float=_finite, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise NotAnObjectError(f"the body is not JSON: {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise NotAnObjectError(f"the body is nested deeper than {MAX_DEPTH} levels") from None
    except NotAnObjectError:
        raise
    except ValueError:
        raise NotAnObjectError("the body holds a number of more than 4,300 digits") from None
    if not isinstance(value, dict):
        raise NotAnObjectError(f"the body is a JSON {_kind(value)}; send one JSON object")
    _check(value)
    return value


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for name, value in pairs:
        if name in found:
            raise NotAnObjectError(f"the body holds the name {ascii(name)[:64]} twice in one object")
        found[name] = value
    return found


def _finite(digits: str) -> float:
    number = float(digits)
    if not isfinite(number):
        raise NotAnObjectError(f"the body holds the number {digits[:32]}, which is too large for a double")
    return number


def _refuse_constant(name: str) -> NoReturn:
    raise NotAnObjectError(f"the body holds {name}, which JSON does not know")


def _kind(value: object) -> str:
    if isinstance(value, list):
        return "array"
    if isinstance(value, str):
        return "string"
    return "literal" if value is None or isinstance(value, bool) else "number"


def _check(body: dict[str, Json]) -> None:
    """Depth and lone surrogates, without recursion."""
    level: list[Json] = [body]
    for _ in range(MAX_DEPTH):
        deeper: list[Json] = []
        for value in level:
            if isinstance(value, str):
                _check_text(value)
            elif isinstance(value, dict):
                for name in value:
                    _check_text(name)
                deeper.extend(value.values())
            elif isinstance(value, list):
                deeper.extend(value)
        if not deeper:
            return
        level = deeper
    if any(isinstance(value, dict | list) for value in level):
        raise NotAnObjectError(f"the body is nested deeper than {MAX_DEPTH} levels")
    for value in level:
        if isinstance(value, str):
            _check_text(value)


def _check_text(text: str) -> None:
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError as error:
        code = ord(text[error.start])
        raise NotAnObjectError(f"the body holds the lone surrogate \\u{code:04x}, which is no character") from None
