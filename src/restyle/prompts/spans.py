"""What of a prompt is not language: weights, brackets, escapes, tags, and words that models listen for."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_SYNTAX = r"\\.|<[^<>]*>|__\w+__|\bBREAK\b|\bAND\b|:[ \t]*[+-]?(?:\d+\.?\d*|\.\d+)[ \t]*(?=[)\]])|[()\[\]{}|]"
"""The prompt syntax of the Stable Diffusion WebUI. The words inside a weight are language; the rest of it is not."""


_WIDE = re.compile(r"[（）［］｛｝｜]|：(?=[ \t　]*[+-]?[0-9０-９.．]+[ \t　]*[)）\]］])")
_WIDE_NUMBER = re.compile(r"(?<=:)[ \t　]*[+-]?[0-9０-９.．]+(?=[ \t　]*[)\]])")
"""The same signs as keyboards of East Asia write them, and the numbers behind them."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a prompt; ``protected`` ones stay byte for byte."""

    text: str
    protected: bool


def narrowed(prompt: str) -> str:
    """``prompt`` with full-width brackets, bars, and colons before a weight as the syntax has them."""
    plain = _WIDE.sub(lambda match: unicodedata.normalize("NFKC", match[0]), prompt)
    return _WIDE_NUMBER.sub(lambda match: unicodedata.normalize("NFKC", match[0]), plain)


def pieces(prompt: str, protected: Sequence[str]) -> list[Piece]:
    """``prompt`` in parts that joined give it again. ``protected`` words are found whole, in any case."""
    words = sorted({word for word in protected if word.strip()}, key=lambda word: (-len(word), word))
    named = "|".join(rf"(?<![a-zA-Z0-9_]){re.escape(word)}(?![a-zA-Z0-9_])" for word in words)
    pattern = re.compile(f"(?i:{named})|{_SYNTAX}" if named else _SYNTAX)
    found: list[Piece] = []
    end = 0
    for match in pattern.finditer(prompt):
        if match.start() > end:
            found.append(Piece(prompt[end : match.start()], protected=False))
        found.append(Piece(match.group(), protected=True))
        end = match.end()
    if end < len(prompt):
        found.append(Piece(prompt[end:], protected=False))
    return found


def language_of(parts: Sequence[Piece]) -> str:
    """The language in ``parts``, without what is protected."""
    return " ".join(piece.text for piece in parts if not piece.protected)


def joined(parts: Iterator[str]) -> str:
    """Parts put together, with a space where two words would run into one."""
    text = ""
    for part in parts:
        text += f" {part}" if text[-1:].isalnum() and part[:1].isalnum() else part
    return text
