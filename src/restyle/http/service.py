"""Everything the actions work with, put together once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Self

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import SQLAlchemyError

from restyle.accounts.keys import KeyStore
from restyle.conversion.draw import open_registry
from restyle.conversion.registry import Registry
from restyle.database import open_database, unavailable
from restyle.http.budget import Budget
from restyle.http.envelope import Refused, later
from restyle.http.limits import Lanes, Rate, Turns
from restyle.http.links import Links
from restyle.http.metrics import Metrics
from restyle.http.submissions import Submissions
from restyle.images.checking.pool import Checkers
from restyle.private import make_data_folder
from restyle.queue.cluster.fleet import Fleet
from restyle.queue.dispatch import Dispatcher
from restyle.queue.favourites import Favourites
from restyle.queue.store import TaskStore
from restyle.queue.workforce import Workforce
from restyle.settings import Settings
from restyle.storage import Storage, StorageError, open_storage
from restyle.wire.codes import Code
from restyle.wire.fields import Limits

CLOSE_SECONDS = 5.0
RETRY_SECONDS = 5
"""When clients are told to come back while storage or database are away."""

log = structlog.get_logger(__name__)


def field_limits(settings: Settings) -> Limits:
    """The bounds of lists and prompts that the operator has set."""
    return Limits(images=settings.max_images, prompts=settings.max_prompts, prompt_length=settings.max_prompt_length)


@dataclass(slots=True)
class Service:
    """One running service. ``draining`` turns true when it is about to stop and takes no new tasks.

    ``fleet`` is None for a service that does everything alone.
    """

    settings: Settings
    db: sa.Engine
    storage: Storage
    keys: KeyStore
    tasks: TaskStore
    favourites: Favourites
    workforce: Workforce
    fleet: Fleet | None
    registry: Registry
    links: Links
    metrics: Metrics
    rate: Rate
    bodies: Budget
    downloads: Turns
    lanes: Lanes
    submissions: Submissions
    checkers: Checkers
    field_limits: Limits
    draining: bool = False
    at_drain: list[Callable[[], None]] = field(default_factory=list)
    """Called first when the service drains, each once."""

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """Open the database (made and brought up to date if need be) and the storage, and start the workers.

        Raises RestyleError (5000) for what an operator has to mend.
        """
        if not make_data_folder(settings.data_dir):
            log.warning("the data folder is open to others; close it with chmod 700", folder=str(settings.data_dir))
        db = open_database(settings.database())
        try:
            storage = open_storage(settings)
            alone = settings.role == "alone"
            keys = KeyStore(db, settings.master_key(), make=alone)
            registry = open_registry(settings)
            fleet = None if alone else Fleet.open(settings, db, storage, registry)
            tasks = TaskStore(db, settings, None if fleet is None else fleet.calls.call)
            workforce: Workforce = Dispatcher(settings, db, storage) if fleet is None else fleet.workforce
            if fleet is None:
                workforce.start()
            else:
                registry = fleet.registry
                fleet.start()
        except BaseException:
            db.dispose()
            raise
        return cls(
            settings=settings,
            db=db,
            storage=storage,
            keys=keys,
            tasks=tasks,
            favourites=Favourites(db, settings),
            workforce=workforce,
            fleet=fleet,
            registry=registry,
            links=Links(keys.derive(b"result links")),
            metrics=Metrics(db, tasks, fleet),
            rate=Rate(settings.requests_per_minute),
            bodies=Budget(settings.max_bodies_bytes, settings.max_bodies_per_address),
            downloads=Turns(settings.max_results_per_address, settings.write_seconds),
            lanes=Lanes(),
            submissions=Submissions(),
            checkers=Checkers(settings),
            field_limits=field_limits(settings),
        )

    def check_storage(self) -> None:
        """Raises Refused (503) while storage is known not to work: a task's images could not be stored."""
        trouble = self.workforce.storage_trouble()
        if trouble is not None:
            raise _away(trouble)

    def check_drawers(self) -> None:
        """Raises Refused (503) where no machine that draws is there: nobody knows then what models there are."""
        if self.fleet is not None and not any(each.slots for each in self.fleet.membership.others()):
            raise _away("no machine that draws is connected")

    def check_drawable(self, needs: str) -> None:
        """Raises as :meth:`check_drawers`, and RestyleError (4004) where no machine can draw a task with these needs
        now. A service that draws alone has refused such a task before."""
        self.check_drawers()
        if self.fleet is not None:
            self.fleet.check(needs)

    @contextmanager
    def needed(self) -> Iterator[None]:
        """Around what needs storage or database: Refused (503) where they fail for a reason that passes."""
        try:
            yield
        except StorageError as error:
            log.error("storage failed", error=error.message)
            self.workforce.storage_failed(error)
            raise _away(error.trouble) from error
        except SQLAlchemyError as error:
            if not unavailable(error):
                raise
            log.error("the database failed", exc_info=error)
            raise _away("the database cannot be read or written") from error

    def drain(self, seconds: float | None = None) -> None:
        """Take no new tasks, and wait for running ones: ``settings.drain_seconds`` at most, or ``seconds``.

        Pictures that are being looked at are not waited for: their senders are told to come back.

        May be called again meanwhile, with less patience. Everything else goes on being answered.
        """
        self.draining = True
        while self.at_drain:
            self.at_drain.pop()()
        self.checkers.close()
        if self.fleet is not None:
            self.fleet.hush()
        self.workforce.stop(seconds)

    def close(self) -> None:
        """Drain, then close the database. Waits ``CLOSE_SECONDS`` at most for requests that are being answered."""
        self.drain()
        left = self.submissions.close(CLOSE_SECONDS) + self.lanes.close(CLOSE_SECONDS)
        if left:
            log.warning("requests were still under way at the end", threads=left)
        self.db.dispose()


def _away(what: str) -> Refused:
    return later(503, Code.QUEUE_FULL, f"{what} at the moment; try again soon", RETRY_SECONDS)
