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
        """Which tasks it may claim: always the same, with parameters whose values :meth:`eligible` knows."""

    def eligible(self, connection: sa.Connection) -> Mapping[str, Any] | None:
        """Those values now, None where there is no task that it may claim."""
        ...

    def again(self, connection: sa.Connection, uids: Sequence[str]) -> None:
        """These tasks are there to be claimed again, once the caller's transaction is committed."""

    def lost(self, held: Collection[str]) -> set[str]:
        """Those of the claims it holds that stand no more, for what others did."""
        ...
