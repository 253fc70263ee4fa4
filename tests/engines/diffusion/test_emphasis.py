"""The syntax of weights."""

import pytest

from restyle.engines.diffusion.emphasis import parse


@pytest.mark.parametrize(
    ("prompt", "pieces"),
    [
        ("", []),
        ("a fox", [("a fox", 1)]),
        ("a (red) fox", [("a ", 1), ("red", 1.1), (" fox", 1)]),
        ("((red))", [("red", 1.21)]),
        ("(red:1.3)", [("red", 1.3)]),
        ("(red : 0.5 )", [("red ", 0.5)]),
        ("(red:.5)", [("red", 0.5)]),
        ("(red:-1)", [("red", -1)]),
        ("[red]", [("red", 1 / 1.1)]),
        ("[(red)]", [("red", 1)]),
        ("(a (b:1.5) c:2)", [("a ", 2), ("b", 3), (" c", 2)]),
        (r"a \(red\) fox", [("a (red) fox", 1)]),
        (r"\[x\] \\", [(r"[x] " + "\\", 1)]),
        ("(red", [("red", 1.1)]),
        ("red)", [("red)", 1)]),
        ("red:1.3)", [("red:1.3)", 1)]),
        ("ratio 16:9", [("ratio 16:9", 1)]),
        ("(a)(b)", [("ab", 1.1)]),
        ("()", []),
    ],
)
def test_weights(prompt: str, pieces: list[tuple[str, float]]) -> None:
    found = [(piece.text, piece.weight) for piece in parse(prompt)]
    assert [text for text, _ in found] == [text for text, _ in pieces]
    assert [weight for _, weight in found] == pytest.approx([weight for _, weight in pieces])


def test_break() -> None:
    assert [piece.breaks for piece in parse("a BREAK (b BREAK c:1.2)")] == [False, True, False, True, False]
    assert [piece.text for piece in parse("BREAKFAST at BREAK")] == ["BREAKFAST at", ""]
