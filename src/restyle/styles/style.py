"""A kept style."""

from dataclasses import dataclass, field

from restyle.conversion.style import StyleSettings


@dataclass(frozen=True, slots=True)
class KeptStyle:
    """``code`` is its StyleCode, by which it is asked for, ``name`` what people are shown.

    ``picture`` is an image file, ``settings`` what is drawn with unless a conversion says otherwise.
    """

    code: str
    picture: bytes
    settings: StyleSettings = field(default_factory=StyleSettings)
    name: str = ""
    is_official: bool = False

    def __post_init__(self) -> None:
        """A style that has no other name is shown by its code."""
        if not self.name:
            object.__setattr__(self, "name", self.code)
