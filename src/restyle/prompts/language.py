"""Which of the fifteen languages a prompt is in."""

import re
from collections.abc import Sequence
from functools import cache
from typing import Protocol, cast

from restyle.prompts.codes import ENGLISH, NAMES
from restyle.prompts.glossary import coverage
from restyle.prompts.lexicon import is_english, lexicon
from restyle.prompts.unspaced import known_share
from restyle.prompts.words import WORD

_KANA = re.compile("[\u3041-\u30fa\u30fd-\u30ff\uff66-\uff9f]")
_HANGUL = re.compile("[\u1100-\u11ff\u3131-\u318e\uac00-\ud7a3]")
_HAN = re.compile("[\u3005-\u3007\u3400-\u9fff]")
_THAI = re.compile("[\u0e01-\u0e5b]")
_CYRILLIC = re.compile("[\u0400-\u04ff]")
_PHRASE_END = re.compile(r"[,.;:!?\n|()\[\]]+")
_VIETNAMESE = re.compile("[ăđơư\u1ea0-\u1ef9]", re.IGNORECASE)

LATIN = ("fr", "es", "it", "de", "tr", "pt", "vi", "id", "ms")

_CANDIDATES = 4
"""How many of the identifier's guesses are looked up in their glossaries."""

_GUESS_WEIGHT = 0.35
_EXACT_WEIGHT = 0.25
_NEARLY = 0.02


class _Identifier(Protocol):
    def rank(self, text: str) -> list[tuple[str, float]]: ...


def detect(text: str) -> str:
    """The code of ``text``'s language; "en" where it is English, has no words, or nothing speaks against English.

    Script decides for Japanese, Korean, Thai, Russian and Chinese (Chinese characters alone are Japanese where the
    Japanese glossary knows more of them). In Latin script, phrases of English words say nothing of the others, as tags
    like "masterpiece" go with every language; of the rest the shares of words in the glossaries are weighed with the
    guess of py3langid (Lui and Baldwin 2012).
    """
    for script, language in ((_KANA, "ja"), (_HANGUL, "ko"), (_THAI, "th"), (_CYRILLIC, "ru")):
        if script.search(text):
            return language
    if _HAN.search(text):
        chinese, japanese = known_share(text, lexicon("zh")), known_share(text, lexicon("ja"))
        return "ja" if japanese > chinese + _NEARLY else "zh"
    foreign = [
        phrase for phrase in _PHRASE_END.split(text) if not all(is_english(word) for word in WORD.findall(phrase))
    ]
    if not foreign:
        return ENGLISH
    text = ", ".join(foreign)
    return _latin(text, WORD.findall(text))


def _latin(text: str, words: Sequence[str]) -> str:
    guesses = dict(identifier().rank(text.casefold()))
    likeliest = [language for language in sorted(guesses, key=lambda code: -guesses[code]) if language in LATIN]
    candidates = {*likeliest[:_CANDIDATES], *(("id", "ms") if {"id", "ms"} & set(likeliest[:2]) else ())}
    if _VIETNAMESE.search(text):
        candidates.add("vi")
    english = sum(is_english(word) for word in words) / len(words)
    best, most = ENGLISH, english * (1 + _EXACT_WEIGHT) + _GUESS_WEIGHT * guesses.get(ENGLISH, 0.0)
    for language in sorted(LATIN if len(words) <= 2 else candidates, key=lambda code: -guesses.get(code, 0.0)):
        exact, known = coverage(text, language)
        score = known + _EXACT_WEIGHT * exact + _GUESS_WEIGHT * guesses.get(language, 0.0)
        if known and score > most + _NEARLY:
            best, most = language, score
    return best


@cache
def identifier() -> _Identifier:
    """py3langid's classifier restricted to the fifteen languages. Loading it takes a second or more."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    found = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    found.set_languages(list(NAMES))
    return cast(_Identifier, found)
