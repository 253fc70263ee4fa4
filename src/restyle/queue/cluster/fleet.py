"""One machine of a fleet, put together by its role."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import sqlalchemy as sa

from restyle.conversion.offer import FleetRegistry, offer_of
from restyle.conversion.registry import Registry
from restyle.queue.cluster.desk import Desk
from restyle.queue.cluster.jobs import Calls, prepare, queues_of
from restyle.queue.cluster.membership import Condition, Machine, Membership
from restyle.queue.cluster.wakeups import Wakeups
from restyle.queue.dispatch import CLOSE_SECONDS, Dispatcher
from restyle.queue.workforce import Workforce
from restyle.settings import Settings
from restyle.storage import Storage
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError


@dataclass(frozen=True, slots=True)
class Fleet:
    """``registry`` holds what the fleet can draw; ``calls`` wakes others for new tasks; ``wakeups`` is None for a
    machine that draws nothing."""

    membership: Membership
    workforce: Workforce
    registry: Registry
    calls: Calls
    wakeups: Wakeups | None

    @classmethod
    def open(cls, settings: Settings, db: sa.Engine, storage: Storage, own: Registry) -> Self:
        """Raises :class:`RestyleError` (5000) where the settings are none of a fleet."""
        if not settings.storage_url:
            raise RestyleError(
                Code.INTERNAL_ERROR,
                "a fleet needs storage that all machines reach; set RESTYLE_STORAGE_URL=s3://bucket, or file:///folder "
                "for one that is mounted everywhere",
            )
        prepare(db)
        draws = settings.role != "api"
        membership = Membership(db, settings, (lambda: offer_of(own)) if draws else None)
        registry = FleetRegistry(settings, own, membership.offers)
        if not draws:
            return cls(membership, Desk(settings, db, storage, membership), registry, Calls(), None)
        dispatcher = Dispatcher(settings, db, storage, membership)
        membership.condition = lambda: Condition(dispatcher.ready(), dispatcher.loaded())
        wakeups = Wakeups(
            db.url,
            queues=queues_of(offer_of(own)["families"]),
            most=settings.workers,
            machine_seconds=settings.machine_seconds,
            call=dispatcher.notify,
            spare=dispatcher.spare,
        )
        dispatcher.at_rest(wakeups.rested)
        return cls(membership, dispatcher, registry, Calls(), wakeups)

    def start(self) -> None:
        """Join. Raises :class:`RestyleError` (5000) where one service alone runs the tasks of this database."""
        self.workforce.start()
        if self.wakeups is not None:
            self.wakeups.start()

    def hush(self) -> None:
        """Take no more calls; what runs goes on."""
        if self.wakeups is not None:
            self.wakeups.stop(CLOSE_SECONDS)

    def check(self, needs: str) -> None:
        """Raises :class:`RestyleError` (4004) where no machine has all that a task with these needs takes."""
        there: Sequence[Machine] = [each for each in self.membership.others() if each.slots]
        if there and not self.membership.drawers(needs):
            raise RestyleError(
                Code.MODEL_NOT_FOUND,
                "no machine of the fleet has all of the files that this takes; leave a sub-model out, or ask whoever "
                "runs it to register them on one machine",
            )
