"""Dictionary forms that an inflected word may come from, and the English plural."""

from collections.abc import Iterable
from functools import lru_cache

_SHORTEST = 3

_UMLAUTS = str.maketrans("äöü", "aou")

_ENDINGS: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "fr": (
        ("aux", ("al", "au")),
        ("euses", ("eux",)),
        ("euse", ("eux",)),
        ("ives", ("if",)),
        ("ive", ("if",)),
        ("nnes", ("n",)),
        ("nne", ("n",)),
        ("lles", ("l", "lle")),
        ("lle", ("l",)),
        ("ches", ("c", "che")),
        ("che", ("c",)),
        ("ères", ("er", "ère")),
        ("ère", ("er",)),
        ("es", ("e", "")),
        ("s", ("",)),
        ("x", ("",)),
        ("e", ("",)),
    ),
    "es": (
        ("ces", ("z",)),
        ("as", ("a", "o", "")),
        ("os", ("o", "")),
        ("es", ("", "e")),
        ("s", ("",)),
        ("a", ("o", "")),
        ("o", ("a",)),
    ),
    "pt": (
        ("ões", ("ão",)),
        ("ãs", ("ã", "ão")),
        ("ais", ("al",)),
        ("éis", ("el",)),
        ("eis", ("el", "il")),
        ("ns", ("m",)),
        ("as", ("a", "o")),
        ("os", ("o",)),
        ("es", ("", "e")),
        ("s", ("",)),
        ("a", ("o", "")),
    ),
    "it": (
        ("chi", ("co",)),
        ("che", ("ca", "co")),
        ("ghi", ("go",)),
        ("ghe", ("ga", "go")),
        ("i", ("o", "e", "a", "io")),
        ("e", ("a", "o")),
        ("a", ("o",)),
    ),
    "de": (
        ("len", ("el",)),
        ("ler", ("el",)),
        ("les", ("el",)),
        ("le", ("el",)),
        ("em", ("",)),
        ("en", ("", "e")),
        ("er", ("", "e")),
        ("es", ("", "e")),
        ("e", ("",)),
        ("n", ("",)),
        ("s", ("",)),
    ),
}
"""Ending -> what may stand in its place in the dictionary, likelier first."""

_PLURALS: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "fr": (("aux", ("al", "au")), ("s", ("",)), ("x", ("",))),
    "es": (("ces", ("z",)), ("es", ("",)), ("s", ("",))),
    "pt": (*_ENDINGS["pt"][:6], ("es", ("",)), ("s", ("",))),
    "it": (("chi", ("co",)), ("che", ("ca",)), ("ghi", ("go",)), ("i", ("o", "e", "a", "io")), ("e", ("a",))),
    "de": (("en", ("", "e")), ("er", ("",)), ("e", ("",)), ("n", ("",)), ("s", ("",))),
    "tr": (("lar", ("",)), ("ler", ("",)), ("ları", ("",)), ("leri", ("",))),
    "ru": (("ы", ("", "а")), ("и", ("", "а", "ь", "я", "й")), ("а", ("о",)), ("ья", ("",)), ("я", ("е",))),
}

PLURAL_LANGUAGES = frozenset(_PLURALS)

_UNCOUNTED = frozenset(
    {
        "hair",
        "light",
        "lighting",
        "furniture",
        "bedding",
        "fog",
        "mist",
        "snow",
        "rain",
        "water",
        "food",
        "fabric",
        "people",
        "fruit",
        "bread",
        "art",
        "grass",
        "wood",
        "noise",
        "text",
        "sunlight",
        "leather",
        "fish",
        "deer",
        "money",
        "jewelry",
        "moss",
        "ice",
        "smoke",
        "fire",
        "music",
    }
)


@lru_cache(maxsize=8192)
def base_forms(word: str, language: str) -> tuple[str, ...]:
    """Forms under which an inflected ``word`` (normalised) may be filed; itself first."""
    return (word, *_replaced(word, _ENDINGS.get(language, ()), language))


@lru_cache(maxsize=8192)
def singulars(word: str, language: str) -> tuple[str, ...]:
    """Forms of which ``word`` (normalised) would be the plural."""
    return tuple(_replaced(word, _PLURALS.get(language, ()), language))


def _replaced(word: str, endings: Iterable[tuple[str, tuple[str, ...]]], language: str) -> dict[str, None]:
    found: dict[str, None] = {}
    for ending, replacements in endings:
        if word.endswith(ending):
            for replacement in replacements:
                form = word.removesuffix(ending) + replacement
                if len(form) >= _SHORTEST:
                    found[form] = None
    if language == "de":
        found |= {form.translate(_UMLAUTS): None for form in [word, *found]}
    found.pop(word, None)
    return found


@lru_cache(maxsize=4096)
def english_plural(noun: str) -> str:
    """The plural of an English noun (phrase); what is not counted, or plural already, stays."""
    before, _, word = noun.rpartition(" ")
    low = word.casefold()
    if word[:1].isupper() or low in _UNCOUNTED or low[-1:] == "s" or low.endswith(("ing", "graphy", "ware")):
        return noun
    if low.endswith("man"):
        word = word[:-2] + "en"
    elif low in ("child",):
        word += "ren"
    elif low == "person":
        word = "people"
    elif low == "mouse":
        word = "mice"
    elif low.endswith(("leaf", "shelf", "wolf", "half")):
        word = word[:-1] + "ves"
    elif low.endswith(("knife", "wife")):
        word = word[:-2] + "ves"
    elif low.endswith("y") and low[-2:-1] not in "aeiou":
        word = word[:-1] + "ies"
    elif low.endswith(("x", "ch", "sh", "z")):
        word += "es"
    else:
        word += "s"
    return f"{before} {word}".lstrip()
