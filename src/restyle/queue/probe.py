"""Whether storage works: tried now and then, and again and again while it does not."""

import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import structlog

from restyle.queue.uid import new_uid
from restyle.storage import PROBES, Storage, StorageError

LOOK_SECONDS = 30.0
"""Pause between two tries while all is well."""
RETRY_SECONDS = 0.5
MAX_RETRY_SECONDS = 15.0
SETTLED_SECONDS = 60.0
"""Who fails again sooner than this after storage seemed to work has not recovered: the pauses go on growing."""
SIZE = 4096

log = structlog.get_logger(__name__)


class Probe:
    """A thread that stores, reads and deletes an object of as many bytes as last could not be stored.

    A try may take as long as storage likes; nobody waits for it. ``recovered`` is called when storage works again.
    """

    def __init__(self, storage: Storage, recovered: Callable[[], None]) -> None:
        self._storage = storage
        self._recovered = recovered
        self._changed = threading.Condition()
        self._stopping = False
        self._trouble: str | None = None
        self._size = SIZE
        self._suspects: set[str] = set()
        self._spoilt: set[str] = set()
        self._pause = 0.0
        self._well_since = 0.0
        self._thread = threading.Thread(target=self._work, name="probe", daemon=True)

    def start(self) -> None:
        """Try now, and again and again."""
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """Try no more. Storage that stands still is waited for ``seconds`` at most."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join(seconds)

    @property
    def trouble(self) -> str | None:
        """What storage cannot do, in words for everybody; None while it works."""
        return self._trouble

    def failed(self, size: int | None, suspect: str | None = None) -> None:
        """Storage failed somebody: with ``size`` bytes to be stored, None where it was to read.

        ``suspect`` is a key that could not be read. It is read again once storage works: :meth:`spoilt` tells how that
        went.
        """
        with self._changed:
            if self._trouble is None:
                self._trouble = "storage cannot be read" if size is None else "storage cannot be written"
                if time.monotonic() - self._well_since > SETTLED_SECONDS:
                    self._pause = 0.0
                self._changed.notify()
            self._size = max(self._size, size or 0)
            if suspect is not None:
                self._suspects.add(suspect)

    def spoilt(self, key: str) -> bool:
        """Whether ``key`` still could not be read when everything else worked."""
        with self._changed:
            found = key in self._spoilt
            self._spoilt.discard(key)
            return found

    def _work(self) -> None:
        pause = 0.0
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopping or self._trouble is not None, pause)
                if not self._stopping and self._trouble is not None:
                    self._changed.wait_for(lambda: self._stopping, self._pause)
                if self._stopping:
                    return
                size = self._size
            try:
                self._try(size)
            except Exception as error:  # noqa: BLE001 - whatever it is, storage does not work, and is tried again
                with self._changed:
                    self._trouble = error.trouble if isinstance(error, StorageError) else "storage does not work"
                    self._pause = min(max(RETRY_SECONDS, self._pause * 2), MAX_RETRY_SECONDS)
                log.warning("storage does not work", error=str(error), bytes=size)
            else:
                self._works(size)
            pause = LOOK_SECONDS

    def _try(self, size: int) -> None:
        """Bytes by chance, since some file systems store others in less room than they take."""
        prefix, data = f"{PROBES}{new_uid()}/", random.randbytes(size)
        key = f"{prefix}0"
        try:
            self._storage.put(key, data)
            if self._storage.get(key) != data:
                raise StorageError("read", key, "it holds other bytes than were stored")
        except BaseException:
            with suppress(StorageError):
                self._storage.delete_prefix(prefix)
            raise
        self._storage.delete_prefix(prefix)

    def _works(self, size: int) -> None:
        with self._changed:
            if self._trouble is None:
                return
            suspects = list(self._suspects)
        spoilt = {key for key in suspects if not self._readable(key)}
        with self._changed:
            if self._size > size:
                return  # somebody failed with more meanwhile
            self._trouble = None
            self._suspects.clear()
            self._spoilt |= spoilt
            self._size = SIZE
            self._pause = min(max(RETRY_SECONDS, self._pause * 2), MAX_RETRY_SECONDS)
            self._well_since = time.monotonic()
        log.info("storage works")
        self._recovered()

    def _readable(self, key: str) -> bool:
        try:
            self._storage.get(key)
        except FileNotFoundError:
            return True  # the next run says what is missing
        except Exception:
            log.exception("an object cannot be read", key=key)
            return False
        return True
