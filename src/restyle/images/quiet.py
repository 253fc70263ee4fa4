"""Keeps Pillow's warnings from the user, in this context alone: other threads and other libraries hear theirs."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import cast

_decoding = ContextVar("decoding", default=False)
_lock = threading.Lock()
_inside = 0


class _PillowHere:
    """Stands where the filter of a warning has the pattern of a module's name."""

    def match(self, module: str) -> bool:
        return _decoding.get() and module.partition(".")[0] == "PIL"


_FILTER = ("ignore", None, Warning, _PillowHere(), 0)


@contextmanager
def quiet() -> Iterator[None]:
    """Pass over what Pillow warns of (odd metadata, mostly); what is wrong with pixels arrives as an error.

    The list of filters belongs to the process, and :func:`warnings.catch_warnings` exchanges it for all threads. Here
    one filter is put in front, which asks who is warned, and is taken away when the last picture is done.
    """
    global _inside
    filters = cast("list[object]", warnings.filters)
    with _lock:
        _inside += 1
        if not filters or filters[0] is not _FILTER:
            filters.insert(0, _FILTER)
    token = _decoding.set(True)
    try:
        yield
    finally:
        _decoding.reset(token)
        with _lock:
            _inside -= 1
            filters = cast("list[object]", warnings.filters)
            while not _inside and _FILTER in filters:
                filters.remove(_FILTER)
