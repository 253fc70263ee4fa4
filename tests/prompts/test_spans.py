import pytest

from restyle.prompts.spans import language_of, narrowed, pieces

PROMPTS = [
    r"(猫:1.2), ((海滩)), [日落], \(水彩\) BREAK <lora:x:0.8> __artist__",
    "una casa (azul:1.35) AND un [gato:perro:0.5]",
    "",
    "   ",
    "<lora:日本:1> ((((",
]


@pytest.mark.parametrize("prompt", PROMPTS)
def test_the_pieces_joined_are_the_prompt(prompt: str) -> None:
    assert "".join(piece.text for piece in pieces(prompt, ["gato"])) == prompt


def test_only_language_is_left_to_translate() -> None:
    assert language_of(pieces(PROMPTS[0], [])).split() == ["猫", ",", "海滩", ",", "日落", ",", "水彩"]


def test_protected_words_are_found_whole_and_in_any_case() -> None:
    parts = pieces("Gato-X gato gatos", ["gato-x", "gato"])
    assert [piece.text for piece in parts if piece.protected] == ["Gato-X", "gato"]


def test_a_protected_word_beside_chinese_is_found() -> None:
    assert [piece.text for piece in pieces("穿sks的猫", ["sks"]) if piece.protected] == ["sks"]


def test_full_width_signs_are_syntax() -> None:
    assert narrowed("（红色：１．３）, ［猫］｜（狗:0.5 ）") == "(红色:1.3), [猫]|(狗:0.5 )"
    assert narrowed("注意：红色，１２只") == "注意：红色，１２只"
