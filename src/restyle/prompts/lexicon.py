"""The words of one language with their English, as compiled into ``data/``."""

import lzma
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from restyle.prompts.words import KOREAN_PARTICLES, UNSPACED, stemmer, unaccented

LONGEST_PHRASE = 6
"""Words of the longest phrase looked for in spaced languages."""

NOUN, ADJECTIVE, VERB, QUANTITY, DROPPED, PREPOSITION, GENITIVE, UNKNOWN = "n", "a", "v", "q", "d", "p", "of", "?"
_CLDR = "c"

_ENGLISH_ENDINGS = ("s", "es", "ed", "ing", "ly", "d")
_LINKS = ("", "s", "n", "en", "es", "er")
_SHORTEST_PART = 3
_SHORTEST_COMPOUND = 8


class Entry(NamedTuple):
    """What a word is in English; ``kind`` is one of the constants above."""

    kind: str
    english: str


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Entries of ``language`` by filed form, by form without diacritics, and by stem. ``longest`` is in letters."""

    language: str
    entries: dict[str, Entry]
    folded: dict[str, Entry]
    stems: dict[str, Entry]
    longest: int

    def find(self, words: Sequence[str]) -> Entry | None:
        """The entry of a phrase of normalised ``words``: as written, else without diacritics, else without endings."""
        phrase = " ".join(words)
        if entry := self.entries.get(phrase) or self.folded.get(phrase):
            return entry
        if self.stems and (stem := stemmer(self.language)):
            return self.stems.get(" ".join(stem(word) for word in words))
        if self.language == "ko":
            return self._without_particle(phrase)
        return None

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
    borrowed = set()
    for line in text.splitlines():
        kind, form, english = line.split("\t")
        if kind == _CLDR:
            borrowed.add(form)
        entries[form] = Entry(NOUN if kind == _CLDR else kind, english)
    longest = max(map(len, entries))
    if language in UNSPACED or language == "ko":
        return Lexicon(language, entries, {}, {}, longest)
    folded: dict[str, Entry] = {} if language == "ru" else _unambiguous(entries, borrowed, unaccented)
    stem = stemmer(language)
    stems = _unambiguous(entries, borrowed, lambda form: " ".join(map(stem, form.split()))) if stem else {}
    return Lexicon(language, entries, folded, stems, longest)


def _unambiguous(entries: dict[str, Entry], borrowed: set[str], fold: Callable[[str], str]) -> dict[str, Entry]:
    """``entries`` by their folded forms, without those that fold onto another meaning. Ours go before borrowed ones."""
    chosen: dict[str, Entry] = {}
    for ours in (True, False):
        folded: dict[str, Entry] = {}
        clashes = set()
        for form, entry in entries.items():
            if (form in borrowed) is ours or entry.kind in (DROPPED, PREPOSITION, GENITIVE):
                continue
            key = fold(form)
            if folded.setdefault(key, entry).english != entry.english:
                clashes.add(key)
        chosen = {key: entry for key, entry in folded.items() if key not in clashes} | chosen
    return chosen


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
