"""Translation by the embedded glossary: longest phrases first, unknown words left as they are."""

import re
from collections.abc import Iterator

from restyle.prompts.backend import Rendering
from restyle.prompts.lexicon import LONGEST_PHRASE, UNKNOWN, Lexicon, is_english, lexicon
from restyle.prompts.phrases import Unit, english_order
from restyle.prompts.unspaced import translate_unspaced
from restyle.prompts.words import UNSPACED, WORD, normalise

_JOINT = re.compile(r"[ \t'’`\-\u00a0]*")
"""What may stand between two words of one phrase."""


class Glossary:
    """The back end that is always there."""

    name = "glossary"

    def __init__(self, language: str) -> None:
        self._language = language
        self._lexicon = lexicon(language)

    def translate(self, text: str) -> Rendering:
        """``text`` in English as far as its words are known."""
        return (translate_unspaced if self._language in UNSPACED else translate_spaced)(text, self._lexicon)


def coverage(text: str, language: str) -> tuple[float, float]:
    """Shares (0..1) of the words of spaced ``text`` that ``language``'s entries cover: as written, and at all."""
    words = [normalise(word, language) for word in WORD.findall(text)]
    book = lexicon(language)
    if not words:
        return 0.0, 0.0
    known = exact = position = 0
    while position < len(words):
        for length in range(min(LONGEST_PHRASE, len(words) - position), 0, -1):
            phrase = words[position : position + length]
            if book.find(phrase):
                known += length
                exact += length if " ".join(phrase) in book.entries else 0
                position += length
                break
        else:
            known += bool(book.parts(words[position]))
            position += 1
    return exact / len(words), known / len(words)


def translate_spaced(text: str, book: Lexicon) -> Rendering:
    """Prompts of languages with spaces. A phrase of which nothing is known stays as it stands."""
    out: list[str] = []
    kept: list[str] = []
    end = 0
    for words in _phrases(text):
        start, stop = words[0].start(), words[-1].end()
        out.append(text[end:start])
        end = stop
        out.append(_phrase(text[start:stop], [word.group() for word in words], book, kept))
    out.append(text[end:])
    return Rendering("".join(out), tuple(kept))


def _phrases(text: str) -> Iterator[list[re.Match[str]]]:
    phrase: list[re.Match[str]] = []
    for word in WORD.finditer(text):
        if phrase and not _JOINT.fullmatch(text, phrase[-1].end(), word.start()):
            yield phrase
            phrase = []
        phrase.append(word)
    if phrase:
        yield phrase


def _phrase(source: str, words: list[str], book: Lexicon, kept: list[str]) -> str:
    normalised = [normalise(word, book.language) for word in words]
    named = _proper_nouns(words, normalised, book)
    units: list[Unit] = []
    position = 0
    while position < len(words):
        if position in named:
            units.append(Unit(UNKNOWN, words[position], words[position]))
            position += 1
            continue
        for length in range(min(LONGEST_PHRASE, len(words) - position), 0, -1):
            phrase = normalised[position : position + length]
            if entry := book.find(phrase):
                units.append(Unit(entry.kind, entry.english, " ".join(phrase)))
                position += length
                break
        else:
            parts = book.parts(normalised[position])
            units += [Unit(part.kind, part.english, words[position]) for part in parts]
            if not parts:
                units.append(Unit(UNKNOWN, words[position], words[position]))
            position += 1

    unknown = [unit.source for unit in units if unit.kind == UNKNOWN]
    if len(unknown) == len(units) or (unknown and all(is_english(word) for word in words)):
        kept += [word for word in unknown if not is_english(word)]
        return source
    kept += [word for word in unknown if not is_english(word)]
    return " ".join(unit.english for unit in english_order(units, book.language)) or source


def _proper_nouns(words: list[str], normalised: list[str], book: Lexicon) -> set[int]:
    """Positions of names: two or more capitalised words in a row, not all of them ordinary ones.

    The first word of a phrase is capitalised anyway and counts only where it is unknown. German writes every noun so:
    there a name must not begin the phrase. A phrase all in capitals says nothing, unless it is two unknown words.
    """
    capital = [word[:1].isupper() for word in words]
    shouted = all(flag for flag, word in zip(capital, words, strict=True) if len(word) > 3)
    unheard = len(words) == 2 and not any(book.find([word]) for word in normalised)
    if sum(capital) < 2 or (shouted and not unheard):
        return set()
    named: set[int] = set()
    run: list[int] = []
    for position in range(len(words) + 1):
        if position < len(words) and words[position][:1].isupper():
            first = position == 0 and (book.language == "de" or book.find(normalised[:1]) is not None)
            run = [] if first else [*run, position]
            continue
        unknown = [at for at in run if not book.find([normalised[at]]) and not book.parts(normalised[at])]
        if len(run) > 1 and unknown and not book.find([normalised[at] for at in run]):
            named.update(run)
        run = []
    return named
