"""Objects: the images that go in and come out, in a local folder or an object store."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote, urlsplit

from restyle.settings import Settings
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

if TYPE_CHECKING:
    from obstore.store import ObjectStore

INPUTS = "inputs/"
RESULTS = "results/"
PROBES = "probes/"
PLACES = (INPUTS, RESULTS, PROBES)

RETRIES = 3
RETRY_SECONDS = 10
"""How long a request to an object store is tried: whoever waits for it would rather hear that the store is away."""
PUT_TRIES = 10
"""How often a folder that a clean-up takes away is made again under a file that is being stored."""

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


PIECE_BYTES = 64 * 1024
"""Of an object that is streamed."""


def input_prefix(uid: str) -> str:
    """Where the images of a submission are kept until its task has ended."""
    return f"{INPUTS}{uid}/"


def input_key(uid: str, index: int) -> str:
    """Key of image ``index`` of a submission."""
    return f"{input_prefix(uid)}{index}"


def result_prefix(uid: str) -> str:
    """Where the results of all runs of a task are kept."""
    return f"{RESULTS}{uid}/"


def result_key(uid: str, claim: str, index: int) -> str:
    """Key of result ``index`` of one run of a task: a run that broke off never mixes with the next."""
    return f"{result_prefix(uid)}{claim}/{index}.png"


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


class Bucket:
    """Objects of an object store that :mod:`obstore` speaks to."""

    def __init__(self, url: str) -> None:
        from obstore.exceptions import BaseError, NotFoundError
        from obstore.store import from_url

        self._failures, self._gone = BaseError, (NotFoundError, FileNotFoundError)
        retry = {"max_retries": RETRIES, "retry_timeout": timedelta(seconds=RETRY_SECONDS)}
        self._store: ObjectStore = from_url(url, retry_config=retry)  # type: ignore[call-overload]

    def put(self, key: str, data: Data) -> None:
        import obstore

        with self._failing("store", key, len(data)):
            obstore.put(self._store, key, data)

    def get(self, key: str) -> bytes:
        import obstore

        with self._failing("read", key):
            return bytes(obstore.get(self._store, key).bytes())

    @asynccontextmanager
    async def stream(self, key: str) -> AsyncIterator[tuple[int, AsyncIterator[bytes]]]:
        import obstore

        with self._failing("read", key):
            found = await obstore.get_async(self._store, key)

        async def pieces() -> AsyncIterator[bytes]:
            with self._failing("read", key):
                async for piece in found.stream(min_chunk_size=PIECE_BYTES):
                    yield bytes(piece)

        yield found.meta["size"], pieces()

    def delete_prefix(self, prefix: str) -> None:
        import obstore

        assert prefix.endswith("/"), prefix
        with self._failing("delete", prefix):
            for chunk in obstore.list(self._store, prefix=prefix):
                for item in chunk:
                    with suppress(*self._gone):  # somebody else deleted it: what was asked for
                        obstore.delete(self._store, item["path"])

    def names(self, prefix: str) -> Iterator[str]:
        import obstore

        with self._failing("list", prefix):
            listing = obstore.list_with_delimiter(self._store, prefix=prefix)
        for folder in listing["common_prefixes"]:
            yield folder.rstrip("/").rpartition("/")[2]

    @contextmanager
    def _failing(self, doing: str, key: str, size: int | None = None) -> Iterator[None]:
        try:
            yield
        except self._gone as error:
            raise FileNotFoundError(key) from error
        except self._failures as error:
            raise StorageError(doing, key, error, size) from error


def folder_of(settings: Settings) -> Path | None:
    """The folder that objects are kept in; None where it is an object store."""
    if not settings.storage_url:
        return settings.data_dir / "objects"
    parts = urlsplit(settings.storage_url)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


def open_storage(settings: Settings) -> Storage:
    """The storage that ``settings.storage_url`` names, or the data folder's. Raises :class:`RestyleError` (5000)."""
    folder = folder_of(settings)
    if folder is not None:
        return Folder(folder)
    from obstore.exceptions import BaseError

    try:
        return Bucket(settings.storage_url)
    except (BaseError, ValueError) as error:
        raise RestyleError(Code.INTERNAL_ERROR, f"storage_url cannot be opened: {error}") from error


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
