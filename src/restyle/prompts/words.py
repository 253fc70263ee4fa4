"""Words as the glossary compares them: normalised, without diacritics, without endings."""

import re
import unicodedata
from collections.abc import Callable
from functools import cache, lru_cache

UNSPACED = frozenset({"zh", "ja", "th"})
"""Languages whose words are not parted by spaces."""

WORD = re.compile("(?:[^\\W_]|[\u0e31\u0e34-\u0e3a\u0e47-\u0e4e])+")
"""Letters and digits; Thai's vowels and tones above and below are no letters to Unicode."""

_TURKISH_CASE = str.maketrans({"İ": "i", "I": "ı"})
_RUSSIAN_YO = str.maketrans({"ё": "е"})
_UNDECOMPOSED = str.maketrans({"ı": "i", "đ": "d", "ø": "o", "ł": "l", "œ": "oe", "æ": "ae"})
_LATE_TONE = re.compile(
    "((?<!q)o)([ae])([\u0300\u0301\u0303\u0309\u0323])(?!\\w)|((?<!q)u)(y)([\u0300\u0301\u0303\u0309\u0323])(?!\\w)"
)
"""Vietnamese writes the tone of oa, oe and uy on either vowel: hòa and hoà are one word."""


def normalise(text: str, language: str) -> str:
    """``text`` in NFKC, casefolded by the rules of ``language``."""
    if language == "tr":
        text = text.translate(_TURKISH_CASE)
    text = unicodedata.normalize("NFKC", text).casefold()
    if language == "ru":
        return text.translate(_RUSSIAN_YO)
    if language == "vi":
        return unicodedata.normalize("NFC", _LATE_TONE.sub(_early_tone, unicodedata.normalize("NFD", text)))
    return text


def _early_tone(match: re.Match[str]) -> str:
    first, second, tone = (part for part in match.groups() if part)
    return first + tone + second


def unaccented(text: str) -> str:
    """Normalised Latin ``text`` without its diacritics."""
    decomposed = unicodedata.normalize("NFD", text.translate(_UNDECOMPOSED))
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def key(text: str, language: str) -> str:
    """How the glossary files ``text``: its words with one space between them, or none in unspaced languages."""
    return ("" if language in UNSPACED else " ").join(WORD.findall(normalise(text, language)))


@cache
def stemmer(language: str) -> Callable[[str], str] | None:
    """What takes the ending off a normalised word, or None for languages that do not inflect.

    The endings are those of nouns and adjectives: gender, number, case. Verbs are left alone.
    """
    endings = _ENDINGS.get(language)
    if endings is None:
        return None
    shortest = _SHORTEST[language]
    folded = language != "ru"

    @lru_cache(maxsize=8192)
    def stem(word: str) -> str:
        if folded:
            word = unaccented(word)
        for group in endings:
            for ending in group:
                if word.endswith(ending) and len(word) - len(ending) >= shortest:
                    word = word[: -len(ending)]
                    break
        if not folded and len(word) > shortest and word.endswith(_FLEETING):
            word = word[:-2] + word[-1]
        return word

    return stem


_FLEETING = ("ок", "ек", "ец")
"""Their vowel goes in most cases: замок, замком."""


def _group(endings: str) -> tuple[str, ...]:
    return tuple(sorted(endings.split(), key=lambda ending: (-len(ending), ending)))


_ENDINGS: dict[str, tuple[tuple[str, ...], ...]] = {
    "tr": (
        _group("da de ta te dan den tan ten nin nun in un"),
        _group("lar ler lari leri"),
        _group("i u si su li lu"),
    ),
    "ru": (
        _group(
            "ый ий ой ая яя ое ее ые ие ого его ому ему ым им ом ем ую юю ых их ыми ими а я о е ы и у ю ей ами ями"
            " ах ях ов ев ам ям ь"
        ),
    ),
    "id": (_group("nya"),),
    "ms": (_group("nya"),),
}
_SHORTEST = {"tr": 3, "ru": 3, "id": 4, "ms": 4}

KOREAN_PARTICLES = _group(
    "을 를 이 가 은 는 의 에 로 과 와 도 만 들 들이 들을 에서 으로 에게 까지 부터 처럼"
    " 위에 위로 위를 아래 속 속에 안에 옆에 앞에"
)
"""What Korean hangs on a noun: case, number and place."""
