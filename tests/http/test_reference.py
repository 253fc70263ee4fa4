import re
from pathlib import Path

import pytest

from restyle.http.reference import EXAMPLE_KEYS, examples, fill, rows
from restyle.http.table import ACTIONS
from restyle.wire.codes import Code
from restyle.wire.schema import Request
from restyle.wire.signature import matches

DOCUMENT = Path(__file__).parents[2] / "docs" / "wire.md"


def test_the_tables_of_the_document_are_those_of_the_code() -> None:
    """To mend: ``python -m tests.http.test_reference``."""
    text = DOCUMENT.read_text(encoding="utf-8")
    assert fill(text) == text


def test_the_document_tells_every_code_action_and_field() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    for code in Code:
        assert f"| {int(code)} | `{code.name}` |" in text
    for model in [model for action in ACTIONS.values() for model in (action.request, action.answer)]:
        for row in rows(model, answer=not issubclass(model, Request)):
            assert f"| `{row.name}` |" in text, row.name
            assert row.meaning or row.name == "Action", row.name


@pytest.mark.parametrize("action", ACTIONS)
def test_examples_are_valid_and_signed(action: str) -> None:
    body, answer = examples()[action]
    public_key, private_key = EXAMPLE_KEYS
    assert body["PublicKey"] == public_key
    assert matches(body, private_key, body["Signature"])
    assert isinstance(ACTIONS[action].request.read(body), Request)
    ACTIONS[action].answer.model_validate(answer)


def test_required_fields_have_no_default_in_the_tables() -> None:
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        if re.match(r"\| `\w+` \| [^|]+ \| yes \|", line):
            assert re.match(r"\| `\w+` \| [^|]+ \| yes \| (\||[^|]*\|$|[^|`]+\|)", line), line


if __name__ == "__main__":
    DOCUMENT.write_text(fill(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
