"""The contract: what a storage does, under which keys, and how it fails."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

INPUTS = "inputs/"
RESULTS = "results/"
PROBES = "probes/"
STYLES = "styles/"
UPLOADS = "uploads/"
PLACES = (INPUTS, RESULTS, PROBES, STYLES, UPLOADS)

Data = bytes | bytearray | memoryview


class StorageError(RestyleError):
    """Storage failed at what it can do at other times: a full disk, a bucket that is away, a file that cannot be read.

    ``key`` is the key or prefix it happened at, ``size`` the bytes that were to be stored, None where none were;
    ``trouble`` says it in words for everybody.
    """

    def __init__(self, doing: str, key: str, reason: object, size: int | None = None) -> None:
        super().__init__(Code.INTERNAL_ERROR, f"storage cannot {doing} {key}: {reason}")
        self.key = key
        self.size = size
        self.trouble = "storage cannot be read" if doing in ("read", "list") else "storage cannot be written"


class Storage(Protocol):
    """Bytes under keys such as ``inputs/<uid>/0``. An object is there whole or not at all."""

    def put(self, key: str, data: Data) -> None:
        """Store ``data`` under ``key``, over what was there; it outlives a power cut from then on.

        Raises :class:`StorageError`.
        """

    def get(self, key: str) -> bytes:
        """The bytes under ``key``. Raises :class:`FileNotFoundError` where there are none, :class:`StorageError`."""

    def stream(self, key: str) -> AbstractAsyncContextManager[tuple[int, AsyncIterator[bytes]]]:
        """How many bytes are under ``key``, and those in pieces as they are asked for inside the block.

        Raises :class:`FileNotFoundError` where there are none, :class:`StorageError`.
        """

    def delete_prefix(self, prefix: str) -> None:
        """Delete everything under ``prefix``, which ends in a slash. Nothing there is well, too.

        Raises :class:`StorageError`.
        """

    def names(self, prefix: str) -> Iterator[str]:
        """The names directly under ``prefix``, as in a folder: the uids under ``inputs/``.

        Raises :class:`StorageError`.
        """

    def names_after(self, prefix: str, name: str, most: int) -> list[str]:
        """The next names directly under ``prefix`` after ``name`` in their order, ``most`` at most: a part of what
        :meth:`names` gives, for whoever would not list a whole bucket at once. An empty ``name`` is the beginning.

        Raises :class:`StorageError`.
        """
        ...


PIECE_BYTES = 64 * 1024
"""Of an object that is streamed."""


def input_prefix(uid: str) -> str:
    """Where the images of a submission are kept until its task has ended."""
    return f"{INPUTS}{uid}/"


def input_key(uid: str, index: int) -> str:
    """Key of image ``index`` of a submission."""
    return f"{input_prefix(uid)}{index}"


def upload_prefix(upload: str) -> str:
    """Where a picture that somebody brought to the Studio is kept, with smaller ones to look at."""
    return f"{UPLOADS}{upload}/"


def thumbnail_key(uid: str, index: int) -> str:
    """Key of the small picture of a result, which goes where the result goes."""
    return f"{result_prefix(uid)}thumbnails/{index}.jpg"


def result_prefix(uid: str) -> str:
    """Where the results of all runs of a task are kept."""
    return f"{RESULTS}{uid}/"


def result_key(uid: str, claim: str, index: int) -> str:
    """Key of result ``index`` of one run of a task: a run that broke off never mixes with the next."""
    return f"{result_prefix(uid)}{claim}/{index}.png"


def style_prefix(uid: str) -> str:
    """Where the picture of a kept style is."""
    return f"{STYLES}{uid}/"


def style_key(uid: str) -> str:
    """Its key. Every save has a uid of its own, so that a style that is replaced never mixes with the next."""
    return f"{style_prefix(uid)}picture"
