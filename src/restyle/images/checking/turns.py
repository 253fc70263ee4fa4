"""Whose picture is looked at next."""

import threading
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


class Closed(Exception):
    """No more pictures are looked at: the service is stopping."""


@dataclass(slots=True)
class _Waiting:
    large: bool
    admitted: bool = False


class Turns:
    """So many places, given to accounts in turn. For threads.

    While there is more than one place no account has all of them, so that another account's picture never waits for
    one that takes its time. Of large pictures there is one at a time.
    """

    def __init__(self, places: int) -> None:
        self._free = places
        self._most = max(1, places - 1)
        self._large = False
        self._closed = False
        self._changed = threading.Condition()
        self._held: Counter[int] = Counter()
        self._lines: dict[int, deque[_Waiting]] = {}

    @property
    def waiting(self) -> int:
        """How many stand in line."""
        with self._changed:
            return sum(len(line) for line in self._lines.values())

    @contextmanager
    def turn(self, account: int, *, large: bool) -> Iterator[None]:
        """Hold a place once it is the account's turn. Raises Closed."""
        waiting = _Waiting(large)
        with self._changed:
            self._lines.setdefault(account, deque()).append(waiting)
            self._admit()
            self._changed.wait_for(lambda: waiting.admitted or self._closed)
            if not waiting.admitted:
                raise Closed
        try:
            yield
        finally:
            with self._changed:
                self._free += 1
                self._held[account] -= 1
                if not self._held[account]:
                    del self._held[account]
                self._large = self._large and not large
                self._admit()

    def close(self) -> None:
        """Let everybody who waits, or comes later, go with Closed."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _admit(self) -> None:
        while self._free and not self._closed and (found := self._next()) is not None:
            account, waiting = found
            line = self._lines.pop(account)
            line.remove(waiting)
            if line:
                self._lines[account] = line  # behind all others
            self._free -= 1
            self._held[account] += 1
            self._large = self._large or waiting.large
            waiting.admitted = True
        self._changed.notify_all()

    def _next(self) -> tuple[int, _Waiting] | None:
        for account, line in self._lines.items():
            if self._held[account] < self._most:
                for waiting in line:
                    if not (waiting.large and self._large):
                        return account, waiting
        return None
