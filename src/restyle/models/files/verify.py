"""The SHA-256 of files."""

import hashlib
from collections.abc import Callable
from pathlib import Path

CHUNK_BYTES = 8 * 1024 * 1024
Advance = Callable[[int], None]
"""Takes the number of bytes just read."""


def digest(path: Path, advance: Advance = lambda count: None) -> str:
    """The SHA-256 of a file, in hexadecimal. Raises OSError."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            found.update(chunk)
            advance(len(chunk))
    return found.hexdigest()


def verify(path: Path, sha256: str, advance: Advance = lambda count: None) -> bool:
    """Whether ``path`` is a file with that SHA-256, read whole to know it. Raises OSError where it cannot be read."""
    return path.is_file() and digest(path, advance) == sha256
