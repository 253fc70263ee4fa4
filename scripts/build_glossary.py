"""Compile the glossary of prompts: our own tables over the names and keywords of Unicode's CLDR annotations.

    npm pack cldr-annotations-full@48.2.0 && tar xzf cldr-annotations-full-48.2.0.tgz
    python scripts/build_glossary.py package

Writes ``src/restyle/prompts/data/<language>.tsv.xz`` (kind, filed form and English between tabs, those first that take
precedence), the English words in ``en.txt.xz``, and CLDR's licence. The same input gives the same bytes.
"""

import csv
import json
import lzma
import shutil
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from restyle.prompts.codes import ENGLISH, TRANSLATED
from restyle.prompts.words import UNSPACED, WORD, key

ROOT = Path(__file__).resolve().parents[1]
TERMS = ROOT / "scripts" / "terms"
DATA = ROOT / "src" / "restyle" / "prompts" / "data"

TABLES = (
    "rooms",
    "furniture",
    "materials_colours",
    "light",
    "art",
    "styles",
    "people",
    "nature_food",
    "quality_mood",
    "describing",
    "names",
    "particles",
)
"""In order of precedence: where two rows share a form, the first one stands."""

FOLDERS = {"zh": ("zh", "zh-Hant")}
"""CLDR's folders of a language, where it is not the one of its name."""

ALIKE = 0.6
"""A keyword means an English one where the pictures of both overlap this much (intersection over union)."""

Entries = dict[str, tuple[str, str]]
"""Filed form -> (kind, English)."""

Annotations = Mapping[str, Mapping[str, list[str]]]


def rows(table: str) -> Iterator[dict[str, str]]:
    """The rows of one table, by column."""
    with (TERMS / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file, delimiter=";", quoting=csv.QUOTE_NONE)


def own_entries(language: str) -> Entries:
    """The entries of our tables."""
    entries: Entries = {}
    for table in TABLES:
        for row in rows(table):
            for form in row[language].split("|"):
                if filed := key(form, language):
                    entries.setdefault(filed, (row["kind"], row["en"]))
    return entries


def annotations(package: Path, folder: str) -> Annotations:
    """CLDR's picture -> {"tts": [name], "default": keywords}, without punctuation, arrows and mathematics."""
    path = package / "annotations" / folder / "annotations.json"
    found: Annotations = json.loads(path.read_text(encoding="utf-8"))["annotations"]["annotations"]
    return {picture: words for picture, words in found.items() if is_picture(picture)}


def is_picture(text: str) -> bool:
    """Whether ``text`` is of the blocks of pictographs."""
    return ord(text[0]) >= 0x2300 and not 0x3000 <= ord(text[0]) < 0x3100 and not 0xFF00 <= ord(text[0]) < 0x10000


def meant(name: str) -> bool:
    """Whether ``name`` can stand in a prompt: no modifiers after a colon, no quoted signs."""
    return not any(sign in name for sign in ":“”’!?#*0123456789")


def cldr_entries(language: str, package: Path, english: Annotations) -> Entries:
    """Names, and keywords where they are unambiguous.

    A keyword stands under several pictures. It gets the English keyword that stands under nearly the same ones; a
    keyword of a single picture is only an association with it and is left out.
    """
    pictures_of: defaultdict[str, set[str]] = defaultdict(set)
    for picture, words in english.items():
        for word in {*words.get("default", []), *words.get("tts", [])}:
            pictures_of[word].add(picture)

    names: Entries = {}
    keywords: defaultdict[str, set[str]] = defaultdict(set)
    for folder in FOLDERS.get(language, (language,)):
        for picture, words in annotations(package, folder).items():
            if picture not in english:
                continue
            for name in words.get("tts", []):
                target = english[picture]["tts"][0]
                if meant(name) and meant(target) and long_enough(filed := key(name, language), language):
                    names.setdefault(filed, ("n", target))
            for keyword in words.get("default", []):
                keywords[key(keyword, language)].add(picture)

    entries = dict(names)
    for keyword, pictures in sorted(keywords.items()):
        if keyword in names or len(pictures) < 2 or not long_enough(keyword, language):
            continue
        shared = Counter(word for picture in sorted(pictures) for word in set(english[picture]["default"]))
        likeness = sorted(
            ((count / len(pictures | pictures_of[word]), word) for word, count in shared.items() if count > 1),
            reverse=True,
        )
        if not likeness or likeness[0][0] < ALIKE or (len(likeness) > 1 and likeness[1][0] == likeness[0][0]):
            continue
        if meant(likeness[0][1]):
            entries[keyword] = ("n", likeness[0][1])
    return entries


def long_enough(filed: str, language: str) -> bool:
    """Whether a form is more than a letter or a syllable, and not a number."""
    shortest = {"zh": 1, "ja": 1, "ko": 1, "th": 2}.get(language, 3)
    kana = language == "ja" and len(filed) == 1 and "ぁ" <= filed <= "ヿ"
    plain = language in UNSPACED | {"ko"} and filed.isascii()
    return len(filed) >= shortest and not kana and not plain and not filed.isdigit()


def english_words(english: Annotations) -> set[str]:
    """The words by which a prompt is known to be English already."""
    common = (TERMS / "english.txt").read_text(encoding="utf-8")
    texts = [row["en"] for table in TABLES for row in rows(table)]
    for words in english.values():
        texts += [*words.get("default", []), *words.get("tts", [])]
    found = {word for text in texts for word in WORD.findall(text.casefold()) if word.isascii()}
    return found | set(common.split())


def write(path: Path, lines: list[str]) -> None:
    """One compressed file of lines."""
    text = "".join(f"{line}\n" for line in lines)
    path.write_bytes(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME))


def build(package: Path, folder: Path = DATA) -> None:
    """Compile all languages from CLDR's unpacked ``package`` into ``folder``."""
    english = annotations(package, ENGLISH)
    for language in TRANSLATED:
        own = own_entries(language)
        entries = own | {
            form: entry for form, entry in cldr_entries(language, package, english).items() if form not in own
        }
        write(folder / f"{language}.tsv.xz", [f"{kind}\t{form}\t{word}" for form, (kind, word) in entries.items()])
        print(f"{language}: {len(entries)} entries")
    write(folder / "en.txt.xz", sorted(english_words(english)))
    shutil.copyfile(package / "LICENSE", folder / "LICENSE-Unicode-3.0.txt")


if __name__ == "__main__":
    build(Path(sys.argv[1]))
