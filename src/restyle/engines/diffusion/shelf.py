"""Networks that stay loaded between tasks, bounded in bytes: what was not used for longest goes first."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Thing = TypeVar("Thing")


class Shelf(Generic[Thing]):
    """``size`` tells the bytes of one thing now. The one asked for last always stays."""

    def __init__(self, limit: int, size: Callable[[Thing], int]) -> None:
        self._limit = limit
        self._size = size
        self._things: OrderedDict[Hashable, Thing] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Thing]) -> Thing:
        """The thing of that key, made if it is not there."""
        if key not in self._things:
            self._things[key] = make()
        self._things.move_to_end(key)
        self.trim()
        return self._things[key]

    def __contains__(self, key: Hashable) -> bool:
        return key in self._things

    def trim(self) -> None:
        """Let go of things until the rest is within the limit."""
        while len(self._things) > 1 and sum(map(self._size, self._things.values())) > self._limit:
            self._things.popitem(last=False)

    def clear(self) -> None:
        """Let go of all."""
        self._things.clear()
