"""How large a picture may be."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what looks at pictures stays small
    from restyle.settings import Settings


@dataclass(frozen=True, slots=True)
class Limits:
    """``max_bytes`` bounds the encoded file, ``max_pixels`` width times height as they are coded."""

    max_bytes: int
    max_pixels: int

    @classmethod
    def of(cls, settings: "Settings") -> "Limits":
        """The limits an operator has set."""
        return cls(max_bytes=settings.max_image_bytes, max_pixels=settings.max_image_pixels)
