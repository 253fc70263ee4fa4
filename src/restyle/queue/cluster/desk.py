"""What a machine that answers clients and draws nothing has in the place of workers."""

import sqlalchemy as sa

from restyle.queue.cluster.membership import Membership
from restyle.queue.cluster.watch import Watch
from restyle.queue.dispatch import CLOSE_SECONDS
from restyle.queue.probe import Probe
from restyle.queue.retention import Retention
from restyle.queue.workforce import WorkerState
from restyle.settings import Settings
from restyle.storage import Storage, StorageError


class Desk:
    """Takes tasks for others to draw, cleans up, and knows who is there."""

    def __init__(self, settings: Settings, db: sa.Engine, storage: Storage, membership: Membership) -> None:
        self._membership = membership
        self._watch = Watch(membership)
        self._retention = Retention(db, storage, settings)
        self._probe = Probe(storage, lambda: None)
        self._stopped = False

    def start(self) -> None:
        """Join the fleet. Raises :class:`RestyleError` (5000) where one service alone runs the tasks."""
        self._watch.start()
        self._retention.start()
        self._probe.start()

    def stop(self, drain_seconds: float | None = None) -> None:
        """Leave it. Nothing is waited for: what runs, runs elsewhere."""
        if self._stopped:
            return
        self._stopped = True
        self._watch.stop(CLOSE_SECONDS)
        self._retention.stop(CLOSE_SECONDS)
        self._probe.stop(CLOSE_SECONDS)

    def trouble(self) -> str | None:
        """Why a task sent now would not be run, in words for everybody; None where it would."""
        if self._stopped:
            return "the service is stopping"
        if self._watch.failed:
            return "the database cannot be read or written"
        if self._probe.trouble is not None:
            return self._probe.trouble
        if not any(each.ready and each.slots for each in self._membership.others()):
            return "no machine that draws is connected"
        return None

    def ready(self) -> bool:
        """Whether tasks are taken and run."""
        return self.trouble() is None

    def storage_trouble(self) -> str | None:
        """What storage cannot do, in words for everybody; None while it works."""
        return self._probe.trouble

    def storage_failed(self, error: StorageError) -> None:
        """Storage failed somebody."""
        self._probe.failed(error.size)

    def notify(self) -> None:
        """There is a new task: Procrastinate has told the others already, with the transaction that accepted it."""

    def cancel(self, uid: str) -> None:
        """The task was ended: its machine hears of it within a second; its inputs go now if nobody runs it."""
        self._retention.ended(uid)

    def pids(self) -> list[int]:
        """No workers."""
        return []

    def workers(self) -> list[WorkerState]:
        """No workers."""
        return []
