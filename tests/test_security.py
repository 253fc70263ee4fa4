"""That ``docs/security.md`` names tests that exist, or a reason, on every line."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "security.md").read_text()
LINES = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in PAGE.splitlines()
    if line.startswith("| ") and not line.startswith(("| Threat", "| Format")) and line.count("|") == 4
]
THREATS = [line for line in LINES if not re.fullmatch(r"[\d,]+ ?\|?", line[-1].strip())]


@cache
def functions_of(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("line", THREATS, ids=lambda line: line[0])
def test_a_threat_has_its_test_or_its_reason(line: list[str]) -> None:
    _, against, shown = line
    if shown.rstrip(" |") == "none":
        assert re.search(r"\bno (test|reason to test): \w", against)
        return
    if shown.rstrip(" |") == "the same":
        return
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", shown)
    assert named
    assert len(named) == shown.count("::")
    for file, name in named:
        assert name in functions_of(file), f"{file} has no {name}"


def test_the_page_is_read_as_it_is() -> None:
    assert len(THREATS) > 35
    assert not THREATS[0][2].startswith("the same")
