"""``restyle languages``."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from restyle.cli.app import app
from restyle.wire.errors import RestyleError

pytestmark = pytest.mark.filterwarnings("ignore:Recommended. pip install sacremoses")


def run(folder: Path, *arguments: str) -> str:
    result = CliRunner().invoke(app, ["languages", *arguments], env={"RESTYLE_DATA_DIR": str(folder)})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_a_language_is_installed_listed_and_removed(marian: Path, tmp_path: Path) -> None:
    assert "zh is installed: marian, SHA-256" in run(tmp_path, "install", "zh", "--from", str(marian))
    listed = json.loads(run(tmp_path, "list", "--json"))
    assert listed["zh"]["backend"] == "neural"
    assert len(listed["zh"]["sha256"]) == 64
    assert listed["de"] == {
        "name": "German",
        "backend": "glossary",
        "kind": None,
        "version": None,
        "source": None,
        "sha256": None,
    }
    lines = run(tmp_path, "list").splitlines()
    assert len(lines) == 15
    assert "neural (marian)" in lines[1]
    assert run(tmp_path, "remove", "zh") == "zh is removed\n"
    assert "neural" not in run(tmp_path, "list")


def test_what_is_no_package_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "x.argosmodel").write_text("nothing")
    with pytest.raises(RestyleError, match=r"x\.argosmodel is not a package"):
        run(tmp_path, "install", "--from", str(tmp_path / "x.argosmodel"))


@pytest.mark.parametrize(
    "arguments", [["install"], ["install", "xx"], ["install", "en"], ["install", "zh", "ja", "--from", "x"], ["remove"]]
)
def test_wrong_use_is_told(arguments: list[str], tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["languages", *arguments], env={"RESTYLE_DATA_DIR": str(tmp_path)})
    assert result.exit_code == 2
