"""What the documents say is there: settings, codes, metrics, commands, links."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

from restyle.cli.app import app
from restyle.database import open_database
from restyle.http.metrics import Metrics
from restyle.http.table import ACTIONS
from restyle.queue.store import TaskStore
from restyle.settings import Settings
from restyle.wire.codes import Code

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
OPERATIONS = ROOT / "docs" / "operations.md"
WIRE = ROOT / "docs" / "wire.md"
DOCUMENTS = [README, *sorted((ROOT / "docs").glob("*.md"))]


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def blocks(document: Path, language: str) -> list[str]:
    """The fenced blocks of that language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", document.read_text(), re.DOTALL | re.MULTILINE)


def shell_lines(program: str) -> set[str]:
    """Every line of every document's shell blocks that runs ``program``, without its comment."""
    lines = {line.strip() for document in DOCUMENTS for block in blocks(document, "sh") for line in block.splitlines()}
    bare = {re.sub(r"\s+#.*", "", line) for line in lines}
    return {re.sub(r"^([A-Z_]+=\S+ )+", "", line) for line in bare if re.search(rf"^([A-Z_]+=\S+ )*{program} ", line)}


def slug(heading: str) -> str:
    """The anchor that a heading gets."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


def links() -> list[tuple[Path, str]]:
    """Every link and picture of every document that stays inside the project."""
    found = [
        (document, link) for document in DOCUMENTS for link in re.findall(r"\]\(([^)\s]+)\)", document.read_text())
    ]
    return [(document, link) for document, link in found if "://" not in link]


def test_the_tables_of_operations_are_those_of_the_code() -> None:
    text = OPERATIONS.read_text()
    assert load(ROOT / "docs" / "tables.py").renewed(text) == text, "run: python docs/tables.py"


def test_the_table_of_recipes_is_the_one_that_is_drawn_with() -> None:
    text = (ROOT / "docs" / "recipes.md").read_text()
    assert load(ROOT / "docs" / "tables.py").renewed(text, "recipes") == text, "run: python docs/tables.py"


def test_the_tables_need_their_marks() -> None:
    with pytest.raises(ValueError, match="settings"):
        load(ROOT / "docs" / "tables.py").renewed("no marks here")


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_documented(name: str) -> None:
    assert f"| `RESTYLE_{name.upper()}` |" in OPERATIONS.read_text()
    assert Settings.model_fields[name].description


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_no_document_names_a_setting_that_does_not_exist(document: Path) -> None:
    known = {f"RESTYLE_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"RESTYLE_[A-Z_]+", document.read_text())) <= known


@pytest.mark.parametrize("document", [OPERATIONS, WIRE], ids=lambda path: path.name)
def test_every_code_is_documented(document: Path) -> None:
    text = document.read_text()
    for code in Code:
        assert re.search(rf"(?<!\d){code.value}(?!\d)", text), code
        assert code.meaning in text, code


def test_every_metric_is_documented_and_no_other(tmp_path: Path) -> None:
    db = open_database(f"sqlite:///{tmp_path / 'restyle.sqlite3'}")
    page = Metrics(db, TaskStore(db, Settings(data_dir=tmp_path))).page().decode()
    db.dispose()
    shown = {name for name in re.findall(r"^# TYPE (restyle_\w+)", page, re.MULTILINE) if not name.endswith("_created")}
    documented = set(re.findall(r"`(restyle_\w+)(?:\{[a-z,]+\})?`", OPERATIONS.read_text()))
    assert documented == shown


@pytest.mark.parametrize("action", ACTIONS)
def test_the_readme_names_every_action(action: str) -> None:
    assert f"| `{action}` |" in README.read_text()


@pytest.mark.parametrize("line", sorted(shell_lines("restyle")))
def test_every_command_shown_exists_with_its_options(line: str) -> None:
    command = typer.main.get_command(app)
    words = line.split()[1:]
    while isinstance(command, TyperGroup) and words and not words[0].startswith("-"):
        assert words[0] in command.commands, f"{command.name} has no {words[0]}"
        command = command.commands[words.pop(0)]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    assert {word.partition("=")[0] for word in words if word.startswith("--")} <= known | {"--help"}


@pytest.mark.parametrize("line", sorted(shell_lines("make")))
def test_every_make_target_shown_exists(line: str) -> None:
    assert re.search(rf"^{line.split()[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_script_named_exists(document: Path) -> None:
    for script in re.findall(r"\bpython ([\w/]+\.py)", document.read_text()):
        assert (ROOT / script).is_file()


@pytest.mark.parametrize("block", blocks(README, "python"))
def test_the_readme_imports_what_there_is(block: str) -> None:
    compile(block, "README.md", "exec")
    names: dict[str, Any] = {}
    exec("\n".join(line for line in block.splitlines() if line.startswith(("import ", "from "))), names)
    for name in set(re.findall(r"\brestyle\.(\w+)\(", block)):
        assert callable(getattr(names["restyle"], name))


@pytest.mark.parametrize(("document", "link"), links())
def test_every_link_leads_somewhere(document: Path, link: str) -> None:
    path, _, anchor = link.partition("#")
    target = (document.parent / path).resolve() if path else document
    assert target.exists()
    if anchor:
        assert anchor in {slug(heading) for heading in re.findall(r"^#+ (.+)$", target.read_text(), re.MULTILINE)}


def test_the_unit_keeps_the_data_to_the_service_and_is_the_one_that_is_documented() -> None:
    unit = (ROOT / "deploy" / "restyle.service").read_text()
    assert blocks(OPERATIONS, "ini") == [unit]
    assert {"StateDirectory=restyle", "StateDirectoryMode=0700", "UMask=0077"} <= set(unit.splitlines())
    assert set(re.findall(r"RESTYLE_[A-Z_]+", unit)) <= {f"RESTYLE_{name.upper()}" for name in Settings.model_fields}
