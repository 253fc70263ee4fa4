"""Objects of an object store."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from restyle.storage.base import PIECE_BYTES, Data, StorageError

if TYPE_CHECKING:
    from obstore.store import ObjectStore

RETRIES = 3
RETRY_SECONDS = 10
"""How long a request to an object store is tried: whoever waits for it would rather hear that the store is away."""


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
                paths = [item["path"] for item in chunk]
                try:
                    obstore.delete(self._store, paths)  # on S3 one request for all of them
                except self._gone:
                    for path in paths:
                        with suppress(*self._gone):  # somebody else deleted it: what was asked for
                            obstore.delete(self._store, path)

    def names(self, prefix: str) -> Iterator[str]:
        import obstore

        with self._failing("list", prefix):
            listing = obstore.list_with_delimiter(self._store, prefix=prefix)
        for folder in listing["common_prefixes"]:
            yield folder.rstrip("/").rpartition("/")[2]

    def names_after(self, prefix: str, name: str, most: int) -> list[str]:
        import obstore

        found: dict[str, None] = {}
        # "0" is what follows the slash: all that lies under the name comes before.
        offset = f"{prefix}{name}0" if name else None
        with self._failing("list", prefix):
            for chunk in obstore.list(self._store, prefix=prefix, offset=offset, chunk_size=most):
                found |= dict.fromkeys(item["path"].removeprefix(prefix).partition("/")[0] for item in chunk)
                if len(found) >= most:
                    break
        return list(found)[:most]

    @contextmanager
    def _failing(self, doing: str, key: str, size: int | None = None) -> Iterator[None]:
        try:
            yield
        except self._gone as error:
            raise FileNotFoundError(key) from error
        except self._failures as error:
            raise StorageError(doing, key, error, size) from error
