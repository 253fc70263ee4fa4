"""What engines keep between jobs, within bounds: what was not used for longest goes first."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Thing = TypeVar("Thing")


class Cache(Generic[Thing]):
    """Holds things up to ``limit``: so many of them, or so many bytes where ``size`` tells the bytes of one.

    A size may change while a thing is kept, as a network's that gets LoRAs; :meth:`trim` looks again. The thing asked
    for last always stays, whatever its size. Not for several threads at once.
    """

    def __init__(self, limit: int, size: Callable[[Thing], int] | None = None) -> None:
        self._limit = limit
        self._size = size
        self._things: OrderedDict[Hashable, Thing] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Thing]) -> Thing:
        """The thing of that key, made if it is not there."""
        if key in self._things:
            self._things.move_to_end(key)
        else:
            if self._size is None:  # room first, so that there are never more than the limit
                self._drop(lambda: len(self._things) >= self._limit)
            self._things[key] = make()
            self.trim()
        return self._things[key]

    def __contains__(self, key: Hashable) -> bool:
        return key in self._things

    def trim(self) -> None:
        """Let go of things until the rest is within the limit."""
        self._drop(lambda: len(self._things) > 1 and self._used() > self._limit)

    def clear(self) -> None:
        """Let go of all."""
        self._things.clear()

    def _used(self) -> int:
        return sum(map(self._size, self._things.values())) if self._size else len(self._things)

    def _drop(self, too_full: Callable[[], bool]) -> None:
        while too_full():
            self._things.popitem(last=False)
