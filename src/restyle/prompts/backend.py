"""What the service asks of whatever translates."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Rendering:
    """A text in English, and the words that stayed as they were."""

    text: str
    kept: tuple[str, ...] = ()


class Backend(Protocol):
    """Translates from one language. ``name`` is what notices call it."""

    @property
    def name(self) -> str: ...

    def translate(self, text: str) -> Rendering:
        """``text`` (a prompt, or a piece between protected spans) in English."""
        ...
