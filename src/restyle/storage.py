"""Objects: the images that go in and come out, in a local folder or an object store."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import obstore
from obstore.store import LocalStore, ObjectStore, from_url

from restyle.settings import Settings
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

INPUTS = "inputs/"
RESULTS = "results/"

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


class Storage:
    """Bytes under keys such as ``inputs/<uid>/0``. An object is there whole or not at all."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def put(self, key: str, data: bytes | bytearray | memoryview) -> None:
        """Store ``data`` under ``key``, over what was there."""
        obstore.put(self._store, key, data)

    def get(self, key: str) -> bytes:
        """The bytes under ``key``. Raises :class:`FileNotFoundError`."""
        return bytes(obstore.get(self._store, key).bytes())

    async def stream(self, key: str) -> tuple[int, AsyncIterator[bytes]]:
        """How many bytes are under ``key``, and those in pieces as they are asked for.

        Raises :class:`FileNotFoundError`.
        """
        found = await obstore.get_async(self._store, key)
        return found.meta["size"], aiter(found.stream(min_chunk_size=PIECE_BYTES))

    def delete_prefix(self, prefix: str) -> None:
        """Delete everything under ``prefix``, which ends in a slash. Nothing there is well, too."""
        assert prefix.endswith("/"), prefix
        for chunk in obstore.list(self._store, prefix=prefix):
            for item in chunk:
                try:
                    obstore.delete(self._store, item["path"])
                except FileNotFoundError:
                    continue  # somebody else deleted it: what was asked for

    def names(self, prefix: str) -> Iterator[str]:
        """The names directly under ``prefix``, as in a folder: the uids under ``inputs/``."""
        listing = obstore.list_with_delimiter(self._store, prefix=prefix)
        for folder in listing["common_prefixes"]:
            yield folder.rstrip("/").rpartition("/")[2]


def open_storage(settings: Settings) -> Storage:
    """The storage that ``settings.storage_url`` names, or the data folder's. Raises :class:`RestyleError` (5000)."""
    if not settings.storage_url:
        return Storage(_local(settings.data_dir / "objects"))
    try:
        if urlsplit(settings.storage_url).scheme == "file":
            return Storage(_local(Path(urlsplit(settings.storage_url).path)))
        return Storage(from_url(settings.storage_url))
    except (obstore.exceptions.BaseError, ValueError) as error:
        raise RestyleError(Code.INTERNAL_ERROR, f"storage_url cannot be opened: {error}") from error


def _local(folder: Path) -> LocalStore:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for prefix in (INPUTS, RESULTS):
        # Clean-up takes every empty parent folder along. A file keeps these two, where others may be storing just then.
        (folder / prefix).mkdir(mode=0o700, exist_ok=True)
        (folder / prefix / ".keep").touch()
    return LocalStore(folder.absolute(), automatic_cleanup=True)
