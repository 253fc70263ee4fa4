"""Texts of the page in the language of whoever reads it.

The texts themselves, in English, are the keys; ``catalogues/<code>.json`` holds a language's name, and its texts by
these keys. A further language is one more file. ``{name}`` in a text stands for a value.
"""

import json
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from restyle.wire.codes import Code

ENGLISH = "en"


@dataclass(frozen=True, slots=True)
class Language:
    """``code`` as HTML and HTTP have it, ``name`` in the language itself; ``texts`` is empty for English."""

    code: str
    name: str
    texts: dict[str, str] = field(default_factory=dict)

    def __call__(self, text: str, **values: Any) -> str:
        """``text`` in this language, with values in it; in English where the catalogue has it not."""
        found = self.texts.get(text, text)
        return found.format(**values) if values else found

    def of_code(self, number: int) -> str:
        """What a code means; empty in English, where the message itself says it better."""
        return self.texts.get(Code.of(number).meaning, "")


@cache
def languages() -> dict[str, Language]:
    """All languages by their codes, English first."""
    found = {ENGLISH: Language(ENGLISH, "English")}
    for file in sorted(files(__package__).joinpath("catalogues").iterdir(), key=lambda each: each.name):
        if file.name.endswith(".json"):
            content = json.loads(file.read_text("utf-8"))
            code = file.name.removesuffix(".json")
            found[code] = Language(code, content["name"], content["texts"])
    return found


def language_for(chosen: str | None, accepted: str) -> Language:
    """The language of that code, else the first of an ``Accept-Language`` header that there is, else English."""
    known = languages()
    if chosen in known:
        return known[chosen]
    wanted: list[tuple[float, str]] = []
    for part in accepted.split(",")[:16]:
        name, _, quality = part.strip().partition(";q=")
        try:
            wanted.append((-float(quality or 1), name.split("-")[0].lower()))
        except ValueError:
            continue
    for _, name in sorted(wanted, key=lambda each: each[0]):
        if name in known:
            return known[name]
    return known[ENGLISH]
