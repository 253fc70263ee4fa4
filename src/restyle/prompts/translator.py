"""Prompts of a request into English."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

from restyle.prompts.backend import Backend
from restyle.prompts.codes import ENGLISH, NAMES
from restyle.prompts.glossary import Glossary
from restyle.prompts.language import detect
from restyle.prompts.neural import BackendError, Neural
from restyle.prompts.packages import installed_folder
from restyle.prompts.spans import Piece, joined, language_of, narrowed, pieces

MOST_MODELS = 2
"""Neural models kept in memory, the last used ones. One takes 50 to 300 MB."""

MOST_KEPT = 8
"""Words named in one notice."""

_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Translation:
    """Prompts as the engine should read them, and sentences for the client on those that changed."""

    prompts: tuple[str, ...]
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Outcome:
    text: str
    kept: tuple[str, ...]
    backend: str


class Translator:
    """Translates with what is installed under ``data_dir``, else with the embedded glossary. One per process."""

    def __init__(self, data_dir: Path, *, threads: int = 1) -> None:
        self._data_dir = data_dir
        self._loaded = lru_cache(MOST_MODELS)(partial(Neural, threads=threads))
        self._broken: dict[str, str] = {}

    def translate(self, prompts: Sequence[str], protected: Sequence[str] = ()) -> Translation:
        """English prompts, one for each of ``prompts`` (any of the fifteen languages, told for each by itself).

        Weights, brackets, escapes, tags, BREAK and the words of ``protected`` (trigger words, names of embeddings) stay
        byte for byte, as do prompts that are English already; full-width brackets and colons of a weight become those
        of the syntax. Never raises for a missing or broken language package:
        the glossary takes over and the notice says so.
        """
        translated: list[str] = []
        notices: list[str] = []
        for prompt in prompts:
            parts = pieces(narrowed(prompt), protected)
            language = detect(language_of(parts))
            if language == ENGLISH:
                translated.append(prompt)
                continue
            outcome, trouble = self._translated(parts, language)
            translated.append(outcome.text)
            notices.append(_notice(prompt, language, outcome, trouble))
        return Translation(tuple(translated), tuple(notices))

    def _translated(self, parts: Sequence[Piece], language: str) -> tuple[_Outcome, str]:
        trouble = ""
        try:
            if (neural := self._neural(language)) is not None:
                return _rendered(parts, neural), ""
        except BackendError as error:
            trouble = self._broken[language] = str(error)
            self._loaded.cache_clear()
        return _rendered(parts, Glossary(language)), trouble

    def _neural(self, language: str) -> Neural | None:
        """The installed model, None where there is none. Raises BackendError; a failed model is not tried again."""
        if language in self._broken:
            raise BackendError(self._broken[language])
        folder = installed_folder(self._data_dir, language)
        return None if folder is None else self._loaded(folder)


def _rendered(parts: Sequence[Piece], backend: Backend) -> _Outcome:
    texts: list[str] = []
    kept: list[str] = []
    for part in parts:
        if part.protected:
            texts.append(part.text)
            continue
        core = part.text.strip()
        start = part.text.index(core) if core else 0
        rendering = backend.translate(core)
        texts.append(f"{part.text[:start]}{rendering.text}{part.text[start + len(core) :]}")
        kept += rendering.kept
    return _Outcome(joined(iter(texts)), tuple(dict.fromkeys(kept)), backend.name)


def _notice(prompt: str, language: str, outcome: _Outcome, trouble: str) -> str:
    shown = prompt if len(prompt) <= _SHOWN else f"{prompt[: _SHOWN - 1]}…"
    sentence = f'Prompt "{shown}" was translated from {NAMES[language]} ({outcome.backend})'
    if outcome.kept:
        more = "" if len(outcome.kept) <= MOST_KEPT else f" and {len(outcome.kept) - MOST_KEPT} more"
        sentence += f"; not translated: {', '.join(outcome.kept[:MOST_KEPT])}{more}"
    if trouble:
        sentence += f"; the installed language package failed: {' '.join(trouble.split())[:120]}"
    return f"{sentence}."
