"""The compiled glossary and the script that makes it."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

from restyle.prompts.codes import NAMES, TRANSLATED
from restyle.prompts.glossary import Glossary
from restyle.prompts.lexicon import lexicon

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_glossary", ROOT / "scripts" / "build_glossary.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package of CLDR's form with three pictures; every language calls them by its code."""
    words = {"🐱": ("cat face", ["pet", "kitty"]), "🐶": ("dog face", ["pet"]), "+": ("plus sign", ["add", "sum"])}
    for code in [*NAMES, "zh-Hant"]:
        entries = {}
        for picture, (name, keywords) in words.items():
            own = [name, *keywords] if code == "en" else [f"{word} xx{code[:2]}" for word in [name, *keywords]]
            entries[picture] = {"tts": own[:1], "default": own}
        folder = tmp_path / "package" / "annotations" / code
        folder.mkdir(parents=True)
        (folder / "annotations.json").write_text(json.dumps({"annotations": {"annotations": entries}}))
    (tmp_path / "package" / "LICENSE").write_text("a licence")
    return tmp_path / "package"


def test_the_same_input_gives_the_same_bytes(script: ModuleType, package: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        script.build(package, tmp_path / name)
    first = {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()}
    assert first == {path.name: path.read_bytes() for path in (tmp_path / "b").iterdir()}
    assert set(first) == {*(f"{code}.tsv.xz" for code in TRANSLATED), "en.txt.xz", "LICENSE-Unicode-3.0.txt"}


def test_names_and_shared_keywords_are_taken_and_mere_associations_are_not(script: ModuleType, package: Path) -> None:
    entries = script.cldr_entries("de", package, script.annotations(package, "en"))
    assert entries == {"cat face xxde": ("n", "cat face"), "dog face xxde": ("n", "dog face"), "pet xxde": ("n", "pet")}


@pytest.mark.parametrize("language", TRANSLATED)
def test_the_compiled_data_holds_our_tables_as_they_are(script: ModuleType, language: str) -> None:
    own = script.own_entries(language)
    assert len({english for _, english in own.values()}) >= 250
    entries = lexicon(language).entries
    assert own == {form: tuple(entries[form]) for form in own}


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_term_of_ours_is_in_every_language(script: ModuleType, language: str) -> None:
    for table in script.TABLES:
        if table in ("names", "particles"):
            continue
        assert [row["en"] for row in script.rows(table) if not row[language]] == []


@pytest.mark.parametrize(("language", "word"), [("zh", "水母"), ("fr", "méduse"), ("ja", "クラゲ"), ("th", "แมงกะพรุน")])
def test_cldr_fills_in_what_our_tables_leave_out(script: ModuleType, language: str, word: str) -> None:
    assert script.key(word, language) not in script.own_entries(language)
    assert Glossary(language).translate(word).text == "jellyfish"
