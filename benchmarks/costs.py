"""Processor time of what every request passes through: prompts into English, and bodies told apart."""

import contextlib
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.report import Bar, Section, table
from restyle.prompts.translator import Translator
from restyle.wire.errors import RestyleError
from restyle.wire.parse import NotAnObjectError, parse

KEYWORDS = Path(__file__).parents[1] / "tests" / "prompts" / "keywords"
"""Twenty prompts in each language, each line ``prompt => keywords``."""
PROMPT_MS = 5.0
BODY_BYTES = 6_000_000
BODY_MOST = 10.0
"""The costliest body beside a text in another script of the same size."""
PIECES = (b"\\\\", b'\\"', b'\\"A', b'","', b"\\u0041", b"[", b'{"":')
AROUND = ((b'{"x":"', b'"}'), (b'{"x":"', b""), (b'{"x":', b"}"), (b"", b""))
ROUNDS = 3


def run(log: Callable[[str], None]) -> Section:
    """Both bars, of the best of a few runs."""
    prompt, (usual, worst, piece) = prompt_seconds(), body_seconds()
    log(f"a prompt: {1000 * prompt:.2f} ms; a body: {1000 * usual:.0f} ms usually, {1000 * worst:.0f} ms of {piece}")
    rows = [
        ["a prompt of keywords into English, the mean over languages", f"{1000 * prompt:.2f} ms"],
        [f"a body of {BODY_BYTES // 1_000_000} MB with one long text", f"{1000 * usual:.0f} ms"],
        [f"the costliest of that size, of {piece}", f"{1000 * worst:.0f} ms"],
    ]
    section = Section("Processor time of requests", [table(["", "processor time"], rows)])
    section.bars.append(Bar("a prompt of keywords, processor time", 1000 * prompt, PROMPT_MS, unit=" ms"))
    section.bars.append(Bar("the costliest body / a usual one of its size", worst / usual, BODY_MOST, unit="x"))
    return section


def prompt_seconds() -> float:
    """Of one prompt, the mean over all of :data:`KEYWORDS`."""
    lines = [line for file in sorted(KEYWORDS.glob("*.txt")) for line in file.read_text(encoding="utf-8").splitlines()]
    prompts = [line.split(" => ")[0] for line in lines if line]
    with tempfile.TemporaryDirectory() as empty:
        translator = Translator(Path(empty))
        translator.translate(prompts)
        return min(_processor_seconds(lambda: translator.translate(prompts)) for _ in range(ROUNDS)) / len(prompts)


def body_seconds() -> tuple[float, float, str]:
    """Of a usual body, of the costliest one, and what that is made of."""

    def cost(raw: bytes) -> float:
        def read() -> None:
            with contextlib.suppress(NotAnObjectError, RestyleError):
                parse(raw)

        return min(_processor_seconds(read) for _ in range(ROUNDS))

    usual = cost(b'{"x":"' + "é".encode() * (BODY_BYTES // 2) + b'"}')
    costs = [
        (cost(before + piece * (BODY_BYTES // len(piece)) + after), json.dumps(piece.decode()))
        for piece in PIECES
        for before, after in AROUND
    ]
    return usual, *max(costs)


def _processor_seconds(run: Callable[[], object]) -> float:
    began = time.process_time()
    run()
    return time.process_time() - began
