"""Which tasks one service may claim, and in whose name: all there are, unless it shares them with others."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

import sqlalchemy as sa


class Reach(Protocol):
    """One service among those that run the tasks of a database; also the right to run them at all.

    ``machine`` is the number that its claims carry, None for a service that runs all tasks alone.
    """

    @property
    def machine(self) -> int | None: ...

    def acquire(self) -> None:
        """Begin. Raises RestyleError (5000) where others run the tasks in a way that leaves no room for this one."""

    def renew(self) -> None:
        """Go on; called every second or so. Raises as :meth:`acquire`, and what the database raises."""

    def release(self) -> None:
        """End; nothing is claimed in its name from now on."""

    @property
    def mine(self) -> sa.ColumnElement[bool]:
        """Which tasks it may claim, and those that it has to be asked about: always the same, with parameters."""

    def eligible(self) -> Mapping[str, Any]:
        """The values of the parameters of ``mine`` now."""
        ...

    def knows(self, needs: str) -> bool:
        """Whether ``mine`` said for sure that a task with these needs may be claimed. Where not, it does from now on,
        by its parameters, and has to be asked anew."""
        ...

    def again(self, connection: sa.Connection, uids: Sequence[str]) -> None:
        """These tasks are there to be claimed again, once the caller's transaction is committed."""

    def lost(self, held: Collection[str]) -> set[str]:
        """Those of the claims it holds that stand no more, for what others did."""
        ...
