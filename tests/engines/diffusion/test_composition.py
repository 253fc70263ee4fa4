"""Prompts that change while drawing, or are several: read as one, and said so."""

import pytest

from restyle.engines.diffusion.composition import composed
from tests.support.studio import Studio


@pytest.mark.parametrize(
    ("prompt", "text", "told"),
    [
        ("a fox", "a fox", 0),
        ("a [red] fox, ((big)), 16:9", "a [red] fox, ((big)), 16:9", 0),
        ("a [cat:dog:0.5]", "a dog", 1),
        ("a [dog:0.5]", "a dog", 1),
        ("a [cat::0.5] fox", "a  fox", 1),
        ("a [(cat:1.2):(dog:1.3):5]", "a (dog:1.3)", 1),
        ("a [cat|dog]", "a cat, dog", 1),
        ("a [cat:[dog|bird]:.3]", "a dog, bird", 2),
        ("[a [red] fox:0.5]", "a [red] fox", 1),
        (r"a \[cat:dog:0.5\]", r"a \[cat:dog:0.5\]", 0),
        ("[a:b]", "[a:b]", 0),
        ("a cat AND a dog :0.5 AND (x:1.2)", "a cat, (a dog:0.5), (x:1.2)", 1),
        ("HAND in hand, SAND", "HAND in hand, SAND", 0),
    ],
)
def test_a_prompt_becomes_one(prompt: str, text: str, told: int) -> None:
    found, notices = composed(prompt)
    assert found == text
    assert len(notices) == told


def test_the_client_is_told(studio: Studio) -> None:
    found = studio.describe("sd15 folder", positive_prompts=("a [cat:dog:0.5]",), negative_prompts=("[x|y]",))
    assert (found.positive, found.negative) == ("a dog", "x, y")
    assert any('"[cat:dog:0.5]"' in notice for notice in found.notices)
    assert any('"[x|y]"' in notice for notice in found.notices)
