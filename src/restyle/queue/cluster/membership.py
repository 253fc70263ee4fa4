"""One machine among those of a fleet: heard again and again, and deaf to nobody's death.

All times of machines are the database's, so that their own clocks need not agree.
"""

import socket
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psutil
import sqlalchemy as sa
import structlog
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import SQLAlchemyError

from restyle import __version__
from restyle.conversion.offer import Offer, can_draw, digest_of
from restyle.database import machines, reading, tasks, writing
from restyle.queue.cluster.jobs import Calls
from restyle.queue.lock import SupervisorLock
from restyle.queue.needs import checkpoint_of, family_of, files_of
from restyle.queue.record import Status
from restyle.settings import Settings

MOST_SEEN = 1000
"""How many kinds of needs are remembered from one beat to the next."""
NOW = sa.func.extract("epoch", sa.func.clock_timestamp())
RUNNING = (tasks.c.status == Status.RUNNING) & tasks.c.claim.is_not(None)

# What every machine says each second, put together once.
HEARD = (
    sa.update(machines)
    .where(machines.c.id == sa.bindparam("me"))
    .values({"heard": NOW} | {name: sa.bindparam(name) for name in ("ready", "loaded", "free_memory", "offer_digest")})
)
SIGHT = sa.select(
    *(column for column in machines.c if column is not machines.c.offer),
    (NOW - machines.c.heard).label("silent"),
    sa.exists()
    .where(RUNNING, tasks.c.machine.not_in(sa.select(machines.c.id.label("there")).correlate(None)))
    .correlate(None)
    .label("stray"),
).order_by(machines.c.id)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Condition:
    """How a machine is: whether its workers draw, and the SHA-256 of the checkpoints that they have loaded."""

    ready: bool = False
    loaded: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Machine:
    """Another machine, or this one, as the fleet sees it. Times are seconds of the database's clock."""

    id: int
    name: str
    role: str
    version: str
    device: str
    free_memory: int
    slots: int
    ready: bool
    loaded: frozenset[str]
    offer: Offer
    started: float
    heard: float
    silent: float


class Membership:
    """A place in the fleet from :meth:`acquire` to :meth:`release`: a :class:`restyle.queue.reach.Reach`.

    ``offer`` is what this machine can draw now, None for one that draws nothing. For one thread, but for
    ``condition`` and :meth:`others`.
    """

    def __init__(self, db: sa.Engine, settings: Settings, offer: Callable[[], Offer] | None) -> None:
        self._db = db
        self._settings = settings
        self._lock = SupervisorLock(db, shared=True)
        self._calls = Calls()
        self._offer_now = offer
        self._offer: Offer = {"families": [], "files": [], "mains": [], "subs": [], "entries": []}
        self._digest = ""
        self._machine: int | None = None
        texts = ARRAY(sa.Text)
        soon, later = (sa.any_(sa.bindparam(name, type_=texts)) for name in ("soon", "later"))
        old = tasks.c.created <= sa.bindparam("old", type_=sa.Double)
        unseen = tasks.c.needs != sa.all_(sa.bindparam("seen", type_=texts))
        self.mine: sa.ColumnElement[bool] = (tasks.c.needs == soon) | ((tasks.c.needs == later) & old) | unseen
        self._seen: dict[str, bool] = {}
        self._heard_at: float | None = None
        self._steady_since = 0.0
        self._fleet = _Fleet()
        self.condition: Callable[[], Condition] = Condition
        """How this machine is; replaced by whoever knows."""

    @property
    def machine(self) -> int | None:
        """The number of this machine; another once it was taken for gone."""
        return self._machine

    def acquire(self) -> None:
        """Join. Raises :class:`RestyleError` (5000) where one service alone runs the tasks of this database."""
        self._lock.acquire()
        try:
            self.renew()
            with writing(self._db) as connection:  # what a service left that ran the tasks alone: it is gone for sure
                self._interrupt(connection, tasks.c.machine.is_(None))
        except BaseException:
            self._lock.release()
            raise

    def renew(self) -> None:
        """Be heard, hear who is there, and let the tasks of those that are gone run elsewhere."""
        self._lock.renew()
        self._look_at_offer()
        condition = self.condition()
        says: dict[str, Any] = {
            "ready": condition.ready,
            "loaded": sorted(condition.loaded),
            "free_memory": psutil.virtual_memory().available,
            "offer_digest": self._digest,
        }
        with writing(self._db, together=False) as connection:
            known = self._machine is not None and connection.execute(HEARD, {"me": self._machine, **says}).rowcount == 1
            if not known:
                self._machine = self._join(connection, says)
            elif self._fleet.digests.get(self._machine or 0) != self._digest:
                offer = sa.update(machines).where(machines.c.id == self._machine).values(offer=self._offer)
                connection.execute(offer)
            self._fleet = _look(connection, self._fleet)
        if self._steady(known) and self._fleet.mourns(self._settings.machine_seconds):
            with writing(self._db) as connection:
                self._bury(connection)
                self._fleet = _look(connection, self._fleet)

    def release(self) -> None:
        """Leave at once: nobody has to wait for a silence, unless the database is away."""
        if self._machine is not None:
            try:
                with writing(self._db) as connection:
                    connection.execute(sa.delete(machines).where(machines.c.id == self._machine))
                    self._interrupt(connection, tasks.c.machine == self._machine)
            except SQLAlchemyError:
                log.exception("the fleet cannot be left in order; the others notice the silence", id=self._machine)
            self._machine = None
        self._lock.release()

    def eligible(self) -> Mapping[str, Any]:
        """Tasks that this machine can draw, those whose checkpoint another has loaded after a while only; and those
        whose needs it has not seen yet."""
        loaded, elsewhere = self.condition().loaded, self._fleet.loaded_but(self._machine)
        can = [needs for needs, drawn in self._seen.items() if drawn]
        later = [needs for needs in can if checkpoint_of(needs) in elsewhere - loaded]
        return {
            "soon": [needs for needs in can if needs not in later] if later else can,
            "later": later,
            "old": time.time() - self._settings.affinity_seconds,
            "seen": list(self._seen),
        }

    def knows(self, needs: str) -> bool:
        """Whether these needs were seen before: what comes of them is told by :meth:`eligible` from now on."""
        if needs in self._seen:
            return True
        self._seen[needs] = self._can(needs)
        return False

    def again(self, connection: sa.Connection, uids: Sequence[str]) -> None:
        """Call somebody for these tasks."""
        rows = connection.execute(sa.select(tasks.c.uid, tasks.c.needs).where(tasks.c.uid.in_(uids)))
        self._calls.call(connection, [(row.uid, row.needs) for row in rows])

    def lost(self, held: Collection[str]) -> set[str]:
        """Claims of tasks that were terminated elsewhere, or given to others while this machine was not heard."""
        stands = sa.select(tasks.c.claim).where(tasks.c.claim.in_(held), tasks.c.status == Status.RUNNING)
        with reading(self._db) as connection:
            return set(held) - set(connection.scalars(stands))

    def others(self) -> Sequence[Machine]:
        """All machines that were heard, as of the last look."""
        return self._fleet.machines

    def offers(self) -> Sequence[Offer]:
        """What the machines that draw can draw; the same object while nothing changes."""
        return self._fleet.offers

    def drawers(self, needs: str) -> list[Machine]:
        """The machines that can draw a task with these needs."""
        family, files = family_of(needs), files_of(needs)
        return [each for each in self._fleet.machines if each.slots and can_draw(each.offer, family, files)]

    def _can(self, needs: str) -> bool:
        return not needs or can_draw(self._offer, family_of(needs), files_of(needs))

    def _look_at_offer(self) -> None:
        if self._offer_now is not None:
            self._offer = self._offer_now()
        digest = digest_of(self._offer)
        if digest != self._digest or len(self._seen) > MOST_SEEN:
            self._digest = digest
            self._seen.clear()

    def _join(self, connection: sa.Connection, says: Mapping[str, Any]) -> int:
        draws = self._offer_now is not None
        row = {
            **says,
            "heard": NOW,
            "name": self._settings.machine_name or socket.gethostname(),
            "role": self._settings.role,
            "version": __version__,
            "device": self._settings.diffusion_device if draws else "",
            "slots": self._settings.workers if draws else 0,
            "offer": self._offer,
            "started": NOW,
        }
        machine: int = connection.execute(sa.insert(machines).values(row).returning(machines.c.id)).scalar_one()
        log.info("this machine is one of the fleet", machine=machine, before=self._machine)
        return machine

    def _steady(self, known: bool) -> bool:
        """Whether a silence of others is theirs: not so after one that was this machine's own, or the database's."""
        now, seconds = time.monotonic(), self._settings.machine_seconds
        if not known or self._heard_at is None or now - self._heard_at > seconds / 2:
            self._steady_since = now
        self._heard_at = now
        return now - self._steady_since >= seconds

    def _bury(self, connection: sa.Connection) -> None:
        """Take the silent for gone, and let run again what runs in the name of nobody who is there."""
        silent = machines.c.heard < NOW - self._settings.machine_seconds
        gone = connection.execute(sa.delete(machines).where(silent).returning(machines.c.id, machines.c.name)).all()
        for machine in gone:
            log.warning("a machine is gone", machine=machine.id, name=machine.name)
        self._interrupt(connection, tasks.c.machine.not_in(sa.select(machines.c.id)))

    def _interrupt(self, connection: sa.Connection, whose: sa.ColumnElement[bool]) -> None:
        again = sa.update(tasks).where(RUNNING, whose).values(claim=None).returning(tasks.c.uid)
        uids = list(connection.scalars(again))
        if uids:
            log.warning("tasks run again whose machine is gone", tasks=uids)
            self.again(connection, uids)


class _Fleet:
    """The machines as of one look."""

    def __init__(
        self, machines: Sequence[Machine] = (), digests: Mapping[int, str] | None = None, stray: bool = False
    ) -> None:
        self.machines = machines
        self.stray = stray
        self.digests = digests or {}
        drawing = [each for each in machines if each.slots]
        # While none is ready, as after PostgreSQL was away, models are not gone: a task of theirs waits a moment.
        self.offers: Sequence[Offer] = [each.offer for each in drawing if each.ready] or [
            each.offer for each in drawing
        ]

    def mourns(self, seconds: float) -> bool:
        """Whether a machine was not heard for ``seconds``, or a task runs in the name of one that is not there."""
        return self.stray or any(each.silent > seconds for each in self.machines)

    def loaded_but(self, machine: int | None) -> frozenset[str]:
        """What the other machines that draw have loaded."""
        return frozenset().union(*(each.loaded for each in self.machines if each.id != machine and each.ready))


def _look(connection: sa.Connection, before: _Fleet) -> _Fleet:
    """The machines now. What they offer is read only where it changed."""
    rows = connection.execute(SIGHT).all()
    digests = {row.id: row.offer_digest for row in rows}
    offers = {each.id: each.offer for each in before.machines if digests.get(each.id) == before.digests.get(each.id)}
    unread = [row.id for row in rows if row.id not in offers]
    if unread:
        changed = connection.execute(sa.select(machines.c.id, machines.c.offer).where(machines.c.id.in_(unread)))
        offers |= {row.id: row.offer for row in changed}
    found = [
        Machine(
            row.id,
            row.name,
            row.role,
            row.version,
            row.device,
            row.free_memory,
            row.slots,
            row.ready,
            frozenset(row.loaded),
            offers[row.id],
            row.started,
            row.heard,
            row.silent,
        )
        for row in rows
        if row.id in offers  # it may have left between the two looks
    ]
    fleet = _Fleet(found, digests, any(row.stray for row in rows))
    if fleet.offers == before.offers:
        fleet.offers = before.offers
    return fleet
