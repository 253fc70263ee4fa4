"""Everything the actions work with, put together once."""

from dataclasses import dataclass
from typing import Self

import sqlalchemy as sa

from restyle.accounts.keys import KeyStore
from restyle.database import open_database
from restyle.http.limits import Budget, Lanes, Rate
from restyle.http.links import Links
from restyle.http.metrics import Metrics
from restyle.http.submissions import Submissions
from restyle.images.checking.pool import Checkers
from restyle.models.registry import Registry
from restyle.queue.dispatch import Dispatcher
from restyle.queue.engines import resolve
from restyle.queue.store import TaskStore
from restyle.settings import Settings
from restyle.storage import Storage, open_storage
from restyle.wire.fields import Limits


@dataclass(slots=True)
class Service:
    """One running service. ``draining`` turns true when it is about to stop and takes no new tasks."""

    settings: Settings
    db: sa.Engine
    storage: Storage
    keys: KeyStore
    tasks: TaskStore
    dispatcher: Dispatcher
    registry: Registry
    links: Links
    metrics: Metrics
    rate: Rate
    bodies: Budget
    lanes: Lanes
    submissions: Submissions
    checkers: Checkers
    field_limits: Limits
    draining: bool = False

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """Open the database (made and brought up to date if need be) and the storage, and start the workers.

        Raises RestyleError (5000) for what an operator has to mend.
        """
        db = open_database(settings.database())
        try:
            storage = open_storage(settings)
            keys = KeyStore(db, settings.data_dir / "key")
            tasks = TaskStore(db, settings)
            registry: Registry = resolve(settings.registry)(settings)
            dispatcher = Dispatcher(settings, db, storage)
            dispatcher.start()
        except BaseException:
            db.dispose()
            raise
        return cls(
            settings=settings,
            db=db,
            storage=storage,
            keys=keys,
            tasks=tasks,
            dispatcher=dispatcher,
            registry=registry,
            links=Links(keys.derive(b"result links")),
            metrics=Metrics(db, tasks),
            rate=Rate(settings.requests_per_minute),
            bodies=Budget(settings.max_bodies_bytes),
            lanes=Lanes(),
            submissions=Submissions(),
            checkers=Checkers(settings),
            field_limits=Limits(
                images=settings.max_images, prompts=settings.max_prompts, prompt_length=settings.max_prompt_length
            ),
        )

    def drain(self, seconds: float | None = None) -> None:
        """Take no new tasks, and wait for running ones: ``settings.drain_seconds`` at most, or ``seconds``.

        Pictures that are being looked at are not waited for: their senders are told to come back.

        May be called again meanwhile, with less patience. Everything else goes on being answered.
        """
        self.draining = True
        self.checkers.close()
        self.dispatcher.stop(seconds)

    def close(self) -> None:
        """Drain, then close the database."""
        self.drain()
        self.submissions.close()
        self.lanes.close()
        self.db.dispose()
