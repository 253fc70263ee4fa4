"""Where on this machine the files are that a plan names by their SHA-256."""

import threading
from collections.abc import Mapping
from pathlib import Path

from restyle.models.catalogue import Catalogue
from restyle.models.current import CurrentCatalogue
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError


class Shelf:
    """The model files of one machine by SHA-256: those of ``known``, and those registered in its data folder.

    What is registered or removed meanwhile is seen at the next look. Hashes are those of registration: nothing is read.
    Safe for threads.
    """

    def __init__(self, catalogue: CurrentCatalogue, known: Mapping[str, Path] | None = None) -> None:
        self._catalogue = catalogue
        self._known = dict(known or {})
        self._lock = threading.Lock()
        self._of: Catalogue | None = None
        self._paths: Mapping[str, tuple[Path, ...]] = {}

    def find(self, sha256: str) -> Path:
        """The file or folder of that hash; the first that is there, where it is registered more than once.

        Raises RestyleError (4004) where there is none.
        """
        paths = self._current().get(sha256, ())
        for path in paths:
            if path.exists():
                return path
        # clients read this, too, and are not to learn where files are
        state = "is gone from this machine" if paths else "is not on this machine"
        raise RestyleError(
            Code.MODEL_NOT_FOUND,
            f"the model file with the SHA-256 {sha256[:64]} {state}; whoever runs it can restore or register it",
        )

    def _current(self) -> Mapping[str, tuple[Path, ...]]:
        catalogue = self._catalogue.get()
        with self._lock:
            if catalogue is not self._of:
                paths = {sha256: (path,) for sha256, path in self._known.items()}
                for entry in catalogue.entries:
                    paths[entry.sha256] = (*paths.get(entry.sha256, ()), entry.path)
                self._of, self._paths = catalogue, paths
            return self._paths
