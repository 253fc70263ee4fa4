"""Objects as files of a local folder."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from heapq import nsmallest
from pathlib import Path

from restyle.storage.base import PIECE_BYTES, PLACES, Data, StorageError

PUT_TRIES = 10
"""How often a folder that a clean-up takes away is made again under a file that is being stored."""


class Folder:
    """Objects as files of a folder that only its owner may read.

    Files are written here and not through :mod:`obstore`, which neither waits for the disk nor makes files private,
    and whose half-written files no listing of its own shows.

    The places, such as ``inputs``, are made once. Where one is missing later, the folder was moved away or its disk is
    not mounted: storage fails then, rather than begin anew and take all objects for lost.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        with _failing("open", str(root)):
            for folder in (self._root, *(self._root / place for place in PLACES)):
                _make(folder)
                folder.chmod(0o700)

    def put(self, key: str, data: Data) -> None:
        path = self._path(key)
        with _failing("store", key, len(data)):
            for tries in range(1, PUT_TRIES + 1):
                try:
                    _write(path, data, [path.parent, *_make(path.parent, self._place(key))])
                    return
                except FileNotFoundError:  # whoever deletes the prefix just now took the folder along
                    self._check_place("store", key, len(data))
                    if tries == PUT_TRIES:
                        raise

    def get(self, key: str) -> bytes:
        with _failing("read", key):
            try:
                return self._path(key).read_bytes()
            except FileNotFoundError:
                self._check_place("read", key)
                raise

    @asynccontextmanager
    async def stream(self, key: str) -> AsyncIterator[tuple[int, AsyncIterator[bytes]]]:
        with _failing("read", key):
            try:
                file = await asyncio.to_thread(self._path(key).open, "rb")
            except FileNotFoundError:
                self._check_place("read", key)
                raise

        async def pieces() -> AsyncIterator[bytes]:
            while True:
                with _failing("read", key):
                    piece = await asyncio.to_thread(file.read, PIECE_BYTES)
                if not piece:
                    return
                yield piece

        with file:
            yield os.fstat(file.fileno()).st_size, pieces()

    def delete_prefix(self, prefix: str) -> None:
        assert prefix.endswith("/"), prefix
        with _failing("delete", prefix):
            for folder, _, names in os.walk(self._path(prefix), topdown=False, onerror=_raise_unless_gone):
                for name in names:
                    with suppress(FileNotFoundError):  # somebody else deleted it: what was asked for
                        os.unlink(os.path.join(folder, name))
                with suppress(FileNotFoundError):
                    _remove_if_empty(folder)

    def names(self, prefix: str) -> Iterator[str]:
        try:
            with _failing("list", prefix), os.scandir(self._path(prefix)) as entries:
                found = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        except FileNotFoundError:
            self._check_place("list", prefix)
            return
        yield from found

    def names_after(self, prefix: str, name: str, most: int) -> list[str]:
        return nsmallest(most, (each for each in self.names(prefix) if each > name))

    def _place(self, key: str) -> Path:
        return self._root / key.partition("/")[0]

    def _check_place(self, doing: str, key: str, size: int | None = None) -> None:
        """Raises StorageError where what is missing is more than an object."""
        place = self._place(key)
        if f"{place.name}/" in PLACES and not place.is_dir():
            raise StorageError(doing, key, f"{place} is gone; put the folder back", size)

    def _path(self, key: str) -> Path:
        if key.startswith("/") or ".." in key.split("/"):
            raise ValueError(f"{key!r} is no key of an object")
        return self._root / key


@contextmanager
def _failing(doing: str, key: str, size: int | None = None) -> Iterator[None]:
    """Tell what the system refuses as :class:`StorageError`; a file that is not there stays what it is."""
    try:
        yield
    except FileNotFoundError:
        if size is None:
            raise
        raise StorageError(doing, key, "its folder goes away again and again", size) from None
    except OSError as error:
        raise StorageError(doing, key, error.strerror or error, size) from error


def _make(folder: Path, within: Path | None = None) -> list[Path]:
    """Make ``folder`` and what is missing above it, for its owner alone. Returns the folders that hold new names.

    ``within`` itself is not made. Raises FileNotFoundError where it is missing.
    """
    if folder == within:
        return []
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        return []
    except FileNotFoundError:
        if folder.parent == within:
            raise
        return [*_make(folder.parent, within), *_make(folder, within)]
    return [folder.parent]


def _write(path: Path, data: Data, folders: list[Path]) -> None:
    """Write a file whole beside its place, rename it, and wait until it and the names in ``folders`` are on the disk.

    Waiting comes last: then the first wait brings all of it to the disk at once, where the file system keeps a journal.
    A power cut before leaves a damaged file, which no record names yet.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    place = temporary
    try:
        with open(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.replace(temporary, path)
            place = path
            os.fsync(handle)
    except BaseException:
        with suppress(OSError):  # what stays is deleted with its folder
            os.unlink(place)
        raise
    for folder in folders:
        _sync(folder)


def _sync(folder: Path) -> None:
    """Wait until the names in ``folder`` are on the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove_if_empty(folder: str) -> None:
    try:
        os.rmdir(folder)
    except OSError:
        if not os.listdir(folder):
            raise
        # somebody stores there just now: the next sweep deletes it


def _raise_unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
