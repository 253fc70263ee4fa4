"""Takes the pictures out of a body before it is parsed: they are almost all of it, and plain text that needs no parser.

A JSON parser walks every character of a string, and builds the text of the whole body first. A picture in Base64 can be
found by its quotes and copied as it stands, which takes half the time and one copy less of 20 MB.
"""

import re
import secrets
from dataclasses import dataclass
from typing import Any

import numpy as np

from restyle.wire.signature import Json

LONG = 1 << 16
"""Bytes from which a string is worth it."""
MOST_STRINGS = 2000
"""Strings looked at before giving up: a body with pictures has fewer, and short ones are cheaper to parse."""

ESCAPED_BYTES = 1 << 20
"""Bytes of strings with escapes that are passed over before giving up: strings that are worth it have none, and looking
for their end takes longer than parsing them."""

SPACE, BACKSLASH, TILDE = b" \\~"
REST_OF_STRING = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Lifted:
    """``rest`` is the body with a short mark in place of each long string; ``texts`` holds them by their marks."""

    rest: bytes
    texts: dict[str, str]

    def put_back(self, body: dict[str, Json]) -> bool:
        """Put every text back where its mark is in the parsed ``rest``. False if one was no value but a name.

        The marks are random: no body can hold one by itself.
        """
        found = 0
        places: list[Any] = [body]
        while places:
            place = places.pop()
            for key, value in place.items() if isinstance(place, dict) else enumerate(place):
                if isinstance(value, str) and value in self.texts:
                    place[key] = self.texts[value]
                    found += 1
                elif isinstance(value, dict | list):
                    places.append(value)
        return found == len(self.texts)


def lift(raw: bytes | bytearray) -> Lifted:
    """Take the long strings out of ``raw``, as far as they are ASCII without escapes and control characters.

    Strings are found as JSON's grammar finds them, and only what is inside of them is changed: ``rest`` is JSON if and
    only if ``raw`` is.
    """
    prefix = secrets.token_hex(16)
    texts: dict[str, str] = {}
    pieces: list[bytes | bytearray] = []
    kept = at = 0
    patience = ESCAPED_BYTES
    for _ in range(MOST_STRINGS):
        start = raw.find(b'"', at) + 1
        end = raw.find(b'"', start) if start > 0 else -1
        if end < 0:
            break
        if raw.find(BACKSLASH, start, end) >= 0:
            found = REST_OF_STRING.match(raw, start, start + patience)
            if found is None:
                break
            at = found.end()
            patience -= at - start
            continue
        if end - start >= LONG and _is_plain(raw, start, end):
            mark = f"{prefix}{len(texts)}"
            pieces += [raw[kept:start], mark.encode()]
            with memoryview(raw)[start:end] as inside:
                texts[mark] = str(inside, "ascii")
            kept = end
        at = end + 1
    return Lifted(b"".join([*pieces, raw[kept:]]), texts)


def _is_plain(raw: bytes | bytearray, start: int, end: int) -> bool:
    inside = np.frombuffer(raw, np.uint8, end - start, start)
    return bool(inside.min() >= SPACE and inside.max() <= TILDE)
