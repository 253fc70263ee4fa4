"""The words of one language with their English, as compiled into ``data/``."""

import lzma
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import product
from math import prod
from typing import NamedTuple

from restyle.prompts.forms import PLURAL_LANGUAGES, base_forms, english_plural, singulars
from restyle.prompts.words import KOREAN_PARTICLES, UNSPACED, stemmer, unaccented

LONGEST_PHRASE = 6
"""Words of the longest phrase looked for in spaced languages."""

NOUN, ADJECTIVE, VERB, QUANTITY, DROPPED, PREPOSITION, GENITIVE, UNKNOWN = "n", "a", "v", "q", "d", "p", "of", "?"

_ENGLISH_ENDINGS = ("s", "es", "ed", "ing", "ly", "d")
_LINKS = ("", "s", "n", "en", "es", "er")
_MOST_COMBINATIONS = 80
_LONGEST_INFLECTED = 4
_SHORTEST_PART = 3
_SHORTEST_COMPOUND = 8


class Entry(NamedTuple):
    """What a word is in English; ``kind`` is one of the constants above."""

    kind: str
    english: str


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Entries of ``language`` by filed form, by form without diacritics (for Korean without
    spaces, which people set as they like), and by stem. ``longest`` is in letters."""

    language: str
    entries: dict[str, Entry]
    folded: dict[str, Entry]
    stems: dict[str, Entry]
    longest: int

    def find(self, words: Sequence[str]) -> Entry | None:
        """The entry of a phrase of normalised ``words``: as written, else without diacritics, else by dictionary forms.

        Nouns found in the plural are so in English.
        """
        phrase = " ".join(words)
        entry = self.entries.get(phrase) or self.folded.get(phrase) or self._inflected(words)
        if entry and entry.kind == NOUN and self._is_plural(words, entry):
            return Entry(NOUN, english_plural(entry.english))
        return entry

    def _inflected(self, words: Sequence[str]) -> Entry | None:
        if self.stems and (stem := stemmer(self.language)):
            return self.stems.get(" ".join(stem(word) for word in words))
        if self.language == "ko":
            return self._without_particle(" ".join(words))
        if len(words) > _LONGEST_INFLECTED:
            return None
        for phrase in self._combined([base_forms(word, self.language) for word in words]):
            if entry := self.entries.get(phrase) or self.folded.get(phrase):
                return entry
        return None

    def _is_plural(self, words: Sequence[str], entry: Entry) -> bool:
        if self.language not in PLURAL_LANGUAGES:
            return False
        forms = [singulars(word, self.language) for word in words]
        if len(words) > 1:
            return bool(forms[0] and forms[-1]) and " ".join(words) not in self.entries
        return any((found := self.entries.get(form)) and found.english == entry.english for form in forms[0])

    @staticmethod
    def _combined(forms: Sequence[tuple[str, ...]]) -> Iterator[str]:
        if prod(map(len, forms)) <= _MOST_COMBINATIONS:
            yield from map(" ".join, product(*forms))

    def parts(self, word: str) -> tuple[Entry, ...]:
        """The entries of a compound written as one ``word``; nothing where it does not come out even."""
        if self.language == "ko":
            return self._chain(word)
        if self.language == "de" and len(word) >= _SHORTEST_COMPOUND:
            for cut in range(len(word) - _SHORTEST_PART, _SHORTEST_PART - 1, -1):
                head, tail = self._part(word[:cut]), self.find([word[cut:]])
                if head and tail and tail.kind in (NOUN, ADJECTIVE):
                    return head, tail
        return ()

    def _part(self, word: str) -> Entry | None:
        for link in _LINKS:
            if word.endswith(link) and len(word) - len(link) >= _SHORTEST_PART:
                entry = self.entries.get(word.removesuffix(link)) if link else self.entries.get(word)
                if entry and entry.kind in (NOUN, ADJECTIVE):
                    return entry
        return None

    def _without_particle(self, phrase: str) -> Entry | None:
        for particle in KOREAN_PARTICLES:
            if phrase.endswith(particle) and (entry := self.entries.get(phrase.removesuffix(particle))):
                return entry
        return None

    def _chain(self, word: str) -> tuple[Entry, ...]:
        for cut in range(len(word) - 1, 0, -1):
            if not (head := self.entries.get(word[:cut])) or head.kind not in (NOUN, ADJECTIVE):
                continue
            rest = word[cut:]
            if tail := self.find([rest]):
                if len(word) > 2 and tail.kind in (NOUN, ADJECTIVE, VERB):
                    return head, tail
            elif len(rest) > 1 and (tails := self._chain(rest)):
                return head, *tails
        return ()


@cache
def lexicon(language: str) -> Lexicon:
    """The lexicon of ``language``, read once."""
    text = lzma.decompress((files("restyle.prompts") / "data" / f"{language}.tsv.xz").read_bytes()).decode()
    entries: dict[str, Entry] = {}
    for line in text.splitlines():
        kind, form, english = line.split("\t")
        entries[form] = Entry(kind, english)
    longest = max(map(len, entries))
    if language in UNSPACED:
        return Lexicon(language, entries, {}, {}, longest)
    if language == "ko":
        return Lexicon(language, entries, _refiled(entries, lambda form: form.replace(" ", "")), {}, longest)
    folded: dict[str, Entry] = {} if language == "ru" else _refiled(entries, unaccented)
    stem = stemmer(language)
    stems = _refiled(entries, lambda form: " ".join(map(stem, form.split()))) if stem else {}
    return Lexicon(language, entries, folded, stems, longest)


def _refiled(entries: dict[str, Entry], fold: Callable[[str], str]) -> dict[str, Entry]:
    """``entries`` by their folded forms. Where two fold alike the first stands: they come in order of precedence."""
    folded: dict[str, Entry] = {}
    for form, entry in entries.items():
        if entry.kind not in (DROPPED, PREPOSITION, GENITIVE):
            folded.setdefault(fold(form), entry)
    return folded


@cache
def english_words() -> frozenset[str]:
    """Lower-case words by which English is known."""
    data = (files("restyle.prompts") / "data" / "en.txt.xz").read_bytes()
    return frozenset(lzma.decompress(data).decode().split())


def is_english(word: str) -> bool:
    """Whether a word, in any case, is one of the English ones we know or an ending away from it; numbers count."""
    word = word.casefold()
    known = english_words()
    return (
        word in known
        or word[:1].isdigit()
        or any(word.endswith(ending) and word.removesuffix(ending) in known for ending in _ENGLISH_ENDINGS)
    )
