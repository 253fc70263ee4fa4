"""What people type: twenty keyword prompts in each language, with the English keywords a translator would give."""

import re
from pathlib import Path

import pytest

from restyle.prompts.codes import NAMES, TRANSLATED
from restyle.prompts.translator import Translator

KEYWORDS = Path(__file__).parent / "keywords"


def read(language: str) -> list[tuple[str, list[list[str]]]]:
    """(prompt, keywords); a keyword is the list of its equally good translations."""
    lines = (KEYWORDS / f"{language}.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split(" => ") for line in lines if line]
    return [(prompt, [keyword.split("/") for keyword in keywords.split(", ")]) for prompt, keywords in pairs]


def words(text: str) -> str:
    return f" {' '.join(re.findall(r'[a-z0-9é]+', text.casefold()))} "


@pytest.fixture(scope="module")
def translator(tmp_path_factory: pytest.TempPathFactory) -> Translator:
    return Translator(tmp_path_factory.mktemp("data"))


@pytest.mark.parametrize("language", TRANSLATED)
def test_nine_of_ten_keywords_come_out_right(language: str, translator: Translator) -> None:
    prompts = read(language)
    assert len(prompts) == 20
    wrong: list[str] = []
    count = 0
    for prompt, keywords in prompts:
        translation = translator.translate([prompt])
        english = words(translation.prompts[0])
        count += len(keywords)
        wrong += [answers[0] for answers in keywords if not any(words(answer) in english for answer in answers)]
    assert 1 - len(wrong) / count >= 0.9, f"{len(wrong)} of {count} wrong: {wrong}"


@pytest.mark.parametrize("language", [code for code in TRANSLATED if code not in ("id", "ms")])
def test_notices_name_the_language(language: str, translator: Translator) -> None:
    for prompt, _ in read(language):
        (notice,) = translator.translate([prompt]).notices
        assert f"from {NAMES[language]} (glossary)" in notice
