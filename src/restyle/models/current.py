"""The catalogue as it stands now: read again when it was written, and not otherwise."""

import threading
from pathlib import Path

import structlog

from restyle.models.catalogue import Catalogue
from restyle.wire.errors import RestyleError

log = structlog.get_logger(__name__)


class CurrentCatalogue:
    """The catalogue of a data folder, for whoever runs on while models are registered and removed. Safe for threads.

    One that became unreadable meanwhile is logged once, and the last readable one stands. At the beginning it raises
    RestyleError (5000).
    """

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._lock = threading.Lock()
        self._broken: object = ()  # the stamp of one that could not be read
        self._last = Catalogue.read(data_dir)

    def get(self) -> Catalogue:
        """The same object as before while the file is the same: one system call."""
        with self._lock:
            stamp = self._last.stamp()
            if stamp not in (self._last.read_at, self._broken):
                try:
                    self._last = Catalogue.read(self._data_dir)
                except (RestyleError, OSError) as error:
                    self._broken = stamp
                    log.error("the catalogue cannot be read; the models stay as they were", reason=str(error))
            return self._last
