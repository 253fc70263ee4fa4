r"""Weights inside a prompt, in the Stable Diffusion WebUI's syntax.

``(x)`` weighs 1.1, ``((x))`` 1.21, ``(x:1.3)`` 1.3, ``[x]`` 1/1.1; ``\(``, ``\)``, ``\[``, ``\]`` and ``\\`` are the
characters themselves. A bracket never closed closes at the end; one never opened is a character. ``BREAK`` begins a
new chunk of tokens.
"""

import re
from dataclasses import dataclass

STEP = 1.1
TOKENS = re.compile(r"\\[\\()\[\]]|:\s*([+-]?(?:\d+\.?\d*|\.\d+))\s*\)|[()\[\]]|[^\\()\[\]:]+|[\\:]")
BREAK = re.compile(r"\s*\bBREAK\b\s*")


@dataclass(frozen=True, slots=True)
class Piece:
    """Text under one weight. ``breaks`` stands for BREAK, and has no text."""

    text: str
    weight: float = 1.0
    breaks: bool = False


def parse(prompt: str) -> list[Piece]:
    """The pieces of ``prompt`` in order, neighbours of equal weight joined; no piece for an empty prompt."""
    texts: list[str] = []
    weights: list[float] = []
    opened: dict[str, list[int]] = {"(": [], "[": []}

    def close(bracket: str, factor: float) -> bool:
        if not opened[bracket]:
            return False
        for index in range(opened[bracket].pop(), len(weights)):
            weights[index] *= factor
        return True

    def put(text: str) -> None:
        texts.append(text)
        weights.append(1.0)

    for found in TOKENS.finditer(prompt):
        token, weight = found[0], found[1]
        if token in opened:
            opened[token].append(len(texts))
        elif weight is not None:
            if not close("(", float(weight)):
                put(token)
        elif token in (")", "]"):
            if not close("(" if token == ")" else "[", STEP if token == ")" else 1 / STEP):
                put(token)
        else:
            put(token[1:] if len(token) == 2 and token[0] == "\\" else token)
    for bracket, factor in (("(", STEP), ("[", 1 / STEP)):
        while close(bracket, factor):
            pass
    return _split(_joined(list(zip(texts, weights, strict=True))))


def _joined(pieces: list[tuple[str, float]]) -> list[tuple[str, float]]:
    joined: list[tuple[str, float]] = []
    for text, weight in pieces:
        if joined and joined[-1][1] == weight:
            joined[-1] = (joined[-1][0] + text, weight)
        else:
            joined.append((text, weight))
    return joined


def _split(pieces: list[tuple[str, float]]) -> list[Piece]:
    found = []
    for text, weight in pieces:
        for index, part in enumerate(BREAK.split(text)):
            if index:
                found.append(Piece("", breaks=True))
            if part:
                found.append(Piece(part, weight))
    return found
