"""Chinese, Japanese and Thai: the glossary itself parts the words."""

import re
import unicodedata
from collections.abc import Iterator

from restyle.prompts.backend import Rendering
from restyle.prompts.lexicon import ADJECTIVE, DROPPED, NOUN, PREPOSITION, UNKNOWN, Entry, Lexicon
from restyle.prompts.phrases import Unit, english_order

_NATIVE = re.compile("[\u0e01-\u0e4e]+|[\u3005-\u3007\u3041-\u30fa\u30fc-\u30ff\u3400-\u9fff]+")
_INNER_DOT = re.compile("(?<=[ァ-ヺー])・(?=[ァ-ヺー])")
_PUNCTUATION = str.maketrans({"、": ",", "。": ".", "・": " ", "·": " ", "「": '"', "」": '"', "『": '"', "』": '"'})
_WIDE_BRACKET = re.compile("[（［｛）］｝]")
"""Not those of the prompt syntax, which NFKC would make them."""

_DOUBLE_COMMA = re.compile(r",\s*(?=,)|,\s*$")
_NO_SPACE_AFTER = re.compile(r"([,.;!?])(?=[^\W\d])|,(?=\d)")
_THAI_FOLLOWER = re.compile("[\u0e30-\u0e3a\u0e45-\u0e4e]")
"""Vowels, tones and marks that belong to the consonant before them: no word begins with one."""

_KATAKANA = re.compile("[ァ-ヺー]")
_HAN = re.compile("[\u3400-\u9fff]")

_SARA_AM, _SARA_AM_PARTED = "\u0e33", "\u0e4d\u0e32"
"""NFKC parts this Thai vowel in two; what stays in Thai gets it back."""

_UNKNOWN_LETTER = 4.0
_WORD = 1.0
_PARTICLE = 1.3
_CUT_KATAKANA = 5.0
"""Costs of a segmentation, least wins: known letters first, then few words, katakana words whole."""


def translate_unspaced(text: str, book: Lexicon) -> Rendering:
    """Prompts of languages without spaces. A space between two of their words parts phrases, so it becomes a comma."""
    bracketed = bool(_WIDE_BRACKET.search(text))
    text = _INNER_DOT.sub("", unicodedata.normalize("NFKC", _WIDE_BRACKET.sub("，", text)))
    out: list[str] = []
    kept: list[str] = []
    end = 0
    for run in _NATIVE.finditer(text):
        gap = text[end : run.start()]
        out.append(", " if out and gap and not gap.strip() else gap.translate(_PUNCTUATION))
        units = list(_segment(run.group(), book))
        kept += [unit.source.replace(_SARA_AM_PARTED, _SARA_AM) for unit in units if unit.kind == UNKNOWN]
        words = " ".join(unit.english for unit in english_order(units, book.language))
        out.append(_apart(out, words))
        end = run.end()
    tail = text[end:].translate(_PUNCTUATION)
    out.append(_apart(out, tail) if tail[:1].isalnum() else tail)
    joined = "".join(out)
    if bracketed:
        joined = _DOUBLE_COMMA.sub("", joined)
    joined = _NO_SPACE_AFTER.sub(lambda match: f"{match.group()} ", joined)
    return Rendering(joined.replace(_SARA_AM_PARTED, _SARA_AM), tuple(kept))


def _apart(before: list[str], words: str) -> str:
    last = next((part for part in reversed(before) if part), "")
    return f" {words}" if words and last[-1:].isalnum() else words


def _segment(run: str, book: Lexicon) -> Iterator[Unit]:
    """The units of ``run`` by the cheapest segmentation (a shortest path over its letters)."""
    best: list[tuple[float, int, Entry | None]] = [(0.0, 0, None), *([(float("inf"), 0, None)] * len(run))]
    for start in range(len(run)):
        cost = best[start][0]
        if start and _KATAKANA.match(run[start]) and _KATAKANA.match(run[start - 1]):
            cost += _CUT_KATAKANA if best[start][2] else 0.0
        if cost + _UNKNOWN_LETTER < best[start + 1][0]:
            best[start + 1] = (cost + _UNKNOWN_LETTER, start, None)
        for stop in range(start + 1, min(len(run), start + book.longest) + 1):
            if stop < len(run) and _THAI_FOLLOWER.match(run[stop]):
                continue
            if entry := book.entries.get(run[start:stop]):
                price = _PARTICLE if entry.kind in (DROPPED, PREPOSITION) else _WORD
                if cost + price < best[stop][0]:
                    best[stop] = (cost + price, start, entry)
    path: list[tuple[int, int, Entry | None]] = []
    stop = len(run)
    while stop:
        _, start, entry = best[stop]
        path.append((start, stop, entry))
        stop = start
    path.reverse()
    yield from _merge(run, path)


def _merge(run: str, path: list[tuple[int, int, Entry | None]]) -> Iterator[Unit]:
    """Join unknown letters, with single Chinese characters beside them: those are parts of the unknown word."""
    unknown = [entry is None for _, _, entry in path]
    loose = [
        entry is not None and stop - start == 1 and entry.kind in (NOUN, ADJECTIVE) and bool(_HAN.match(run[start]))
        for start, stop, entry in path
    ]
    inside = [
        flag or (loose[at] and (unknown[at - 1 : at] == [True] or unknown[at + 1 : at + 2] == [True]))
        for at, flag in enumerate(unknown)
    ]
    begin: int | None = None
    for at, (start, stop, entry) in enumerate(path):
        if inside[at]:
            begin = start if begin is None else begin
            if at + 1 == len(path) or not inside[at + 1]:
                yield Unit(UNKNOWN, run[begin:stop], run[begin:stop])
                begin = None
        elif entry:
            yield Unit(entry.kind, entry.english, run[start:stop])


def known_share(text: str, book: Lexicon) -> float:
    """Share (0..1) of the letters of ``text``'s own script that the glossary knows."""
    runs = _NATIVE.findall(unicodedata.normalize("NFKC", text))
    unknown = sum(len(unit.source) for run in runs for unit in _segment(run, book) if unit.kind == UNKNOWN)
    letters = sum(map(len, runs))
    return 1 - unknown / letters if letters else 0.0
