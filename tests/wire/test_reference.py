import re
from pathlib import Path

import pytest

from restyle.wire.codes import Code
from restyle.wire.reference import EXAMPLE_KEYS, examples, fill, rows
from restyle.wire.schema import ANSWERS, REQUESTS, Request
from restyle.wire.signature import matches

DOCUMENT = Path(__file__).parents[2] / "docs" / "wire.md"


def test_the_tables_of_the_document_are_those_of_the_code() -> None:
    """To mend: ``python -m tests.wire.test_reference``."""
    text = DOCUMENT.read_text(encoding="utf-8")
    assert fill(text) == text


def test_the_document_tells_every_code_action_and_field() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    for code in Code:
        assert f"| {int(code)} | `{code.name}` |" in text
    for model in (*REQUESTS.values(), *ANSWERS.values()):
        for row in rows(model, answer=model not in REQUESTS.values()):
            assert f"| `{row.name}` |" in text, row.name
            assert row.meaning or row.name == "Action", row.name


@pytest.mark.parametrize("action", REQUESTS)
def test_examples_are_valid_and_signed(action: str) -> None:
    body, answer = examples()[action]
    public_key, private_key = EXAMPLE_KEYS
    assert body["PublicKey"] == public_key
    assert matches(body, private_key, body["Signature"])
    assert isinstance(REQUESTS[action].read(body), Request)
    ANSWERS[action].model_validate(answer)


def test_required_fields_have_no_default_in_the_tables() -> None:
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        if re.match(r"\| `\w+` \| [^|]+ \| yes \|", line):
            assert re.match(r"\| `\w+` \| [^|]+ \| yes \| (\||[^|]*\|$|[^|`]+\|)", line), line


if __name__ == "__main__":
    DOCUMENT.write_text(fill(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
