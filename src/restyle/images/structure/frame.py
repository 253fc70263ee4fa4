"""What the structure of an image file says, and what it may not say."""

from dataclasses import dataclass

MIB = 1024 * 1024
METADATA_BYTES = 16 * MIB
"""Most bytes beside the pixels: profiles, Exif, texts. Phones write about one MiB, and eight with a map of depths."""
METADATA_PIECES = 1024
"""Most pieces of metadata. 16 MiB of JPEG segments filled to the brim are 256."""
STRAY_BYTES = 4096
"""Most bytes that belong to nothing, between the pieces of a file. Pillow skips them one by one."""


class Unsound(ValueError):
    """A file that no decoder should be given. The message goes on after the name of the field: "is cut off"."""


@dataclass(frozen=True, slots=True)
class Cicp:
    """Coding-independent code points (ITU-T H.273): which ``primaries``, and which ``transfer`` characteristics, the
    colours have. ``full`` is false where RGB samples keep to the range 16..235.
    """

    primaries: int
    transfer: int
    full: bool = True


@dataclass(frozen=True, slots=True)
class Frame:
    """The frame that counts, as it is coded and whatever the container says.

    ``format`` is one of ``restyle.images.decode.FORMATS``, ``width`` and ``height`` are in pixels and not yet upright;
    where a file codes several frames for one picture (opacity, tiles, layers) they are those of the largest.
    ``scratch`` is a bound in bytes of what decoding takes beside the file itself. ``cicp`` is what the file says of its
    colours in that way.
    """

    format: str
    width: int
    height: int
    scratch: int
    cicp: Cicp | None = None


class Metadata:
    """Counts what stands beside the pixels while a file is read."""

    def __init__(self) -> None:
        self._pieces = 0
        self._bytes = 0

    def add(self, size: int) -> None:
        """Count a piece of ``size`` bytes. Raises Unsound where there are too many, or they are too long."""
        self._pieces += 1
        self._bytes += size
        at_most("pieces of metadata", self._pieces, METADATA_PIECES)
        at_most("bytes of metadata", self._bytes, METADATA_BYTES)


def at_most(what: str, count: int, most: int) -> None:
    """Raises Unsound where ``count`` is over ``most``."""
    if count > most:
        raise Unsound(f"has more than {most:,} {what}; send it saved anew")


def cut_off(kind: str) -> Unsound:
    """What to raise where a file of that kind ends, or breaks its own rules, before it should."""
    return Unsound(f"is not a whole {kind} file: it is cut off or damaged; send it again")
