"""Translation by models that an operator installs: Argos packages and Marian models, both run by CTranslate2."""

import json
import re
from pathlib import Path
from typing import Any, cast

from restyle.prompts.backend import Rendering
from restyle.prompts.lexicon import is_english
from restyle.prompts.words import WORD

MARIAN_SOURCE, MARIAN_TARGET = "source.spm", "target.spm"
ARGOS_PIECES = "sentencepiece.model"
MODEL_FOLDER = "model"
"""The files of an installed language. Argos shares one vocabulary of word pieces, Marian has one for each side."""

_DELIMITER = re.compile(r"\s*[,，、;；。\n|]+\s*")
_ASCII_RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9 .'+\-]*[A-Za-z0-9]|[A-Za-z0-9]")
_FOREIGN_SCRIPT = re.compile("[\u0400-\u04ff\u0e00-\u0e7f\u1100-\u11ff\u3040-\u9fff\uac00-\ud7a3]")
_BOUNDARY = "▁"
_END = "</s>"
_BEAMS = 2
_LONGEST = 256


class BackendError(Exception):
    """An installed language cannot be loaded or run; the message says why."""


class Neural:
    """One installed language. ``folder`` is as :mod:`restyle.prompts.packages` leaves it.

    Raises BackendError where the packages of the extra ``translate`` are missing or the model cannot be loaded.
    """

    def __init__(self, folder: Path, *, threads: int = 1) -> None:
        try:
            import ctranslate2
            import sentencepiece
        except ImportError as error:
            raise BackendError("install ctranslate2 and sentencepiece: pip install 'restyle[translate]'") from error
        marian = (folder / MARIAN_SOURCE).is_file()
        pieces = (MARIAN_SOURCE, MARIAN_TARGET) if marian else (ARGOS_PIECES, ARGOS_PIECES)
        try:
            config = json.loads((folder / MODEL_FOLDER / "config.json").read_text(encoding="utf-8"))
            self._source, self._target = (
                sentencepiece.SentencePieceProcessor(model_file=str(folder / name)) for name in pieces
            )
            self._model = ctranslate2.Translator(
                str(folder / MODEL_FOLDER), device="cpu", inter_threads=1, intra_threads=threads
            )
        except (OSError, RuntimeError, ValueError) as error:
            raise BackendError(str(error)) from error
        self._ending = [_END] if marian and not config.get("add_source_eos", False) else []

    @property
    def name(self) -> str:
        """What notices call it."""
        return "neural"

    def check(self) -> None:
        """Run the model on a word. Raises BackendError where it does not work."""
        self._run("a")

    def translate(self, text: str) -> Rendering:
        """``text`` in English, phrase by phrase: such models add words to lists. Latin words in other scripts stay.

        Raises BackendError where the model fails.
        """
        out: list[str] = []
        end = 0
        for delimiter in _DELIMITER.finditer(text):
            out += [self._phrase(text[end : delimiter.start()]), _english_delimiter(delimiter.group())]
            end = delimiter.end()
        out.append(self._phrase(text[end:]))
        return Rendering("".join(out).rstrip(" "))

    def _phrase(self, phrase: str) -> str:
        if not WORD.search(phrase) or all(is_english(word) for word in WORD.findall(phrase)):
            return phrase
        if not _FOREIGN_SCRIPT.search(phrase):
            return self._run(phrase)
        out: list[str] = []
        end = 0
        for run in _ASCII_RUN.finditer(phrase):
            out += [self._run(phrase[end : run.start()]), run.group()]
            end = run.end()
        out.append(self._run(phrase[end:]))
        return " ".join(part.strip() for part in out if part.strip())

    def _run(self, text: str) -> str:
        if not WORD.search(text):
            return text
        before, after = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
        try:
            tokens = cast(list[str], self._source.encode(text.strip(), out_type=str))
            results: list[Any] = self._model.translate_batch(
                [tokens + self._ending], beam_size=_BEAMS, max_decoding_length=_LONGEST, replace_unknowns=True
            )
            answer = [token for token in results[0].hypotheses[0] if token != _END]
            english = cast(str, self._target.decode(answer)).replace(_BOUNDARY, " ")
        except (OSError, RuntimeError, ValueError) as error:
            raise BackendError(str(error)) from error
        english = " ".join(english.split()).rstrip(".")
        return f"{before}{english or text.strip()}{after}"


def _english_delimiter(delimiter: str) -> str:
    if "\n" in delimiter or "|" in delimiter:
        return delimiter
    return "; " if delimiter.strip() in (";", "；") else ". " if delimiter.strip() == "。" else ", "
