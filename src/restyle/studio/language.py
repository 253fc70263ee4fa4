"""Texts of the page in the language of whoever reads it.

The texts themselves, in English, are the keys; ``catalogues/<code>.json`` holds a language's name, and its texts by
these keys. A further language is one more file. ``{name}`` in a text stands for a value. Sentences that the rooms below
say come here whole, in English: those of the catalogue are known again by what stands around their values.
"""

import json
import re
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from restyle.wire.codes import Code

ENGLISH = "en"


@dataclass(frozen=True, slots=True)
class Language:
    """``code`` as HTML and HTTP have it, ``name`` in the language itself; ``texts`` is empty for English.

    ``sentences`` are those of the rooms below, by how they read in English.
    """

    code: str
    name: str
    texts: dict[str, str] = field(default_factory=dict)
    sentences: dict[str, str] = field(default_factory=dict)
    _patterns: list[tuple[re.Pattern[str], str]] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self._patterns.extend((_pattern(english), own) for english, own in self.sentences.items())

    def __call__(self, text: str, **values: Any) -> str:
        """``text`` in this language, with values in it; in English where the catalogue has it not."""
        found = self.texts.get(text, text)
        return found.format(**values) if values else found

    def of_code(self, number: int) -> str:
        """What a code means; empty in English, where the message itself says it better."""
        return self.texts.get(Code.of(number).meaning, "")

    def sentence(self, english: str) -> str | None:
        """A sentence of the rooms below in this language; None where the catalogue has it not."""
        if not self.texts:
            return english
        for pattern, own in self._patterns:
            if (found := pattern.fullmatch(english)) is not None:
                values = {name: self.texts.get(value, value) for name, value in found.groupdict().items()}
                return own.format(**values)
        return None

    def told(self, english: str) -> str:
        """The same, in English where the catalogue has it not; it begins with a capital."""
        own = self.sentence(english) or english
        return own[:1].upper() + own[1:]

    def failure(self, number: int, message: str) -> str:
        """What went wrong, by its code and its message: where the catalogue has not the message, what the code means
        comes before it.
        """
        meaning = self.of_code(number)
        if meaning and self.sentence(message) is None:
            return (
                meaning
                if message == Code.of(number).meaning
                else self("{label}: {reason}", label=meaning, reason=self.told(message))
            )
        return self.told(message)


def _pattern(english: str) -> re.Pattern[str]:
    """What matches the sentence with any values; each ends where the text after it begins."""
    parts = re.split(r"\{(\w+)\}", english)
    return re.compile(
        "".join(f"(?P<{part}>.+?)" if place % 2 else re.escape(part) for place, part in enumerate(parts)), re.DOTALL
    )


@cache
def languages() -> dict[str, Language]:
    """All languages by their codes, English first."""
    found = {ENGLISH: Language(ENGLISH, "English")}
    for file in sorted(files(__package__).joinpath("catalogues").iterdir(), key=lambda each: each.name):
        if file.name.endswith(".json"):
            content = json.loads(file.read_text("utf-8"))
            code = file.name.removesuffix(".json")
            found[code] = Language(code, content["name"], content["texts"], content["sentences"])
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
