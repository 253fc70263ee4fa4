"""How many connections there are, and which gives way where there are too many."""

import asyncio
from typing import Protocol


class Member(Protocol):
    """An open connection."""

    def is_waited_for(self) -> bool:
        """Whether it is for the client to go on, by sending or by reading."""

    def pace(self, now: float) -> tuple[float, float]:
        """Bytes a second since it was the client's turn, and since when, by the clock of the event loop."""

    def drop(self) -> None:
        """Close it at once."""


class Crowd:
    """The open connections, ``most`` at most: where one more comes, the slowest gives way.

    Slowest is the one whose client has sent least a second since it was its turn to send or to read. One that waits
    for the service never gives way.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: set[Member] = set()

    def __len__(self) -> int:
        return len(self._open)

    def enter(self, member: Member) -> None:
        """Count a new connection, which may be the one that has to go."""
        self._open.add(member)
        if len(self._open) > self._most:
            now = asyncio.get_running_loop().time()
            waited_for = [each for each in self._open if each is not member and each.is_waited_for()]
            slowest = min(waited_for, key=lambda each: each.pace(now), default=member)
            self._open.remove(slowest)
            slowest.drop()

    def leave(self, member: Member) -> None:
        """Count a connection no more. One that gave way has left already."""
        self._open.discard(member)
