"""What a shell is told when it asks how a word may go on."""

import shlex
from pathlib import Path

import pytest

from restyle.wire.ranges import RESIZE_MODES
from tests.support.command import restyle
from tests.support.engines import THOROUGH
from tests.support.service import RunningService


def completions(folder: Path, *words: str, **variables: str) -> list[str]:
    """What bash is told of the last of ``words``, as they stand on its line."""
    asked = {"_RESTYLE_COMPLETE": "complete_bash", "COMP_CWORD": str(len(words)), **variables}
    ran = restyle(folder=folder, COMP_WORDS="\n".join(("restyle", *words)), **asked)
    assert (ran.code, ran.err) == (0, "")
    return [line for line in ran.out.splitlines() if line]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("convert", "--model", "Restyle"), {"Restyle Brush", "Restyle Painter", "Restyle Neighbour"}),
        (("convert", "--model", "Restyle\\ P"), {"Restyle Painter"}),
        (("convert", "--sub-model", ""), {"ink", "wash", "charm"}),
        (("convert", "--sampler", "DPM++\\ 3M"), {f"DPM++ 3M SDE{end}" for end in ("", " Karras", " Exponential")}),
        (("convert", "--resize-mode", ""), set(RESIZE_MODES)),
        (("convert", "--format", ""), {"png", "jpeg", "webp"}),
        (("models", "add", "x", "--sampler", "Euler"), {"Euler", "Euler a", "Euler trailing"}),
        (("models", "show", ""), set()),
        (("convert", "--model", "nothing like it"), set()),
    ],
)
def test_names_are_completed_as_words_of_the_shell(tmp_path: Path, words: tuple[str, ...], names: set[str]) -> None:
    told = [shlex.split(line) for line in completions(tmp_path, *words)]
    assert all(len(words) == 1 for words in told)
    assert {words[0] for words in told} == names


def test_a_word_begun_with_a_quote_goes_on_in_it(tmp_path: Path) -> None:
    assert completions(tmp_path, "convert", "--model", "'Restyle P") == ["Restyle Painter"]


def test_models_of_a_service_are_asked_for(tmp_path: Path, service: RunningService) -> None:
    keys = {"RESTYLE_PUBLIC_KEY": service.key.public_key, "RESTYLE_PRIVATE_KEY": service.key.private_key}
    words = ("convert", "--url", service.url, "--model", "Th")
    assert completions(tmp_path, *words, RESTYLE_REGISTRY="", **keys) == [THOROUGH]
    assert completions(tmp_path, *words) == []  # without keys nobody tells
