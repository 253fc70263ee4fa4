"""Everything about tasks without HTTP: a database, a storage, an account, and a way to submit and wait."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from restyle.accounts import credits
from restyle.accounts.keys import KeyStore
from restyle.conversion.draw import open_registry
from restyle.conversion.offer import offer_of
from restyle.conversion.plan import Pictures, plan
from restyle.conversion.request import Conversion
from restyle.conversion.stored import to_json
from restyle.images.encode import encode_png
from restyle.queue.claims import Claims
from restyle.queue.cluster.fleet import Fleet
from restyle.queue.cluster.jobs import Calls, prepare
from restyle.queue.cluster.membership import Membership
from restyle.queue.dispatch import Dispatcher
from restyle.queue.record import UNFINISHED, TaskRecord
from restyle.queue.store import Submission, TaskStore
from restyle.queue.uid import new_uid
from restyle.settings import Settings
from restyle.storage import input_key, open_storage
from tests.support.command import PYTHONPATH
from tests.support.engines import OBEDIENT, REGISTRY
from tests.support.patience import PATIENCE, wait_for
from tests.support.pictures import picture


class House:
    """One data folder and its database, with an account of 1,000 credits, and one worker unless told otherwise.

    On a database that is opened for a fleet (``tests/queue/conftest.py``) it is a machine of it.
    """

    def __init__(self, db: sa.Engine, folder: Path, **changes: Any) -> None:
        memberships: list[Membership] | None = db.get_execution_options().get("restyle_fleet")
        in_fleet = memberships is not None
        values = {"data_dir": folder, "registry": REGISTRY, "workers": 1, **changes}
        if in_fleet:
            values |= {"role": "all", "storage_url": (folder / "objects").absolute().as_uri()}
        self.settings = Settings(**values)
        self.db = db
        self.storage = open_storage(self.settings)
        self.keys = KeyStore(db, folder / "key")
        self.registry = open_registry(self.settings)
        self.membership: Membership | None = None
        if memberships is not None:
            prepare(db)
            self.membership = Membership(db, self.settings, lambda: offer_of(self.registry))
            memberships.append(self.membership)
        self.store = TaskStore(db, self.settings, Calls().call if in_fleet else None)
        self.account = self.keys.create(credits=1000).account_id
        self.png = encode_png(picture(64, 80))

    def submission(self, *orders: str, account: int | None = None, **changes: Any) -> tuple[str, Submission]:
        """A uid, its images stored, and what to submit under it."""
        uid = new_uid()
        pictures = Pictures(input_key(uid, 0), input_key(uid, 1))
        asked: dict[str, Any] = {"model": {"code": OBEDIENT}, "width": 80, "height": 64}
        asked |= {"positive_prompts": list(orders), "translate_prompts": False}
        seeds = changes.get("seeds", (5,))
        planned = replace(plan(Conversion.read(asked), self.registry, pictures), seeds=seeds)
        for key in (pictures.raw, pictures.style):
            self.storage.put(key, self.png)
        values: dict[str, Any] = {
            "account_id": account or self.account,
            "action": "ApplyReferenceStyle",
            "request_uuid": None,
            "signature": hashlib.sha1(repr((changes.get("request_uuid") or uid, orders)).encode()).hexdigest(),
            "body_digest": hashlib.sha256(repr(orders).encode()).digest(),
            "cost": 1,
            "seed": seeds[0],
            "seeds": seeds,
            "plan": to_json(planned),
        }
        return uid, Submission(**{**values, **changes})

    def submit(self, *orders: str, **changes: Any) -> str:
        """Submit a task for the obedient engine; returns its uid."""
        return self.store.submit(*self.submission(*orders, **changes))

    def task(self, uid: str, account: int | None = None) -> TaskRecord:
        return self.store.details(account or self.account, [uid])[0]

    def wait(self, uids: Sequence[str]) -> list[TaskRecord]:
        """The tasks, once all have ended."""
        return list(self.wait_until(uids, lambda task: task.status not in UNFINISHED))

    def wait_until(self, uids: Sequence[str], holds: Any) -> list[TaskRecord]:
        """The tasks, once ``holds`` is true of each."""
        tasks: list[TaskRecord] = []

        def all_hold() -> bool:
            tasks[:] = (
                task for n in range(0, len(uids), 100) for task in self.store.details(self.account, uids[n : n + 100])
            )
            return all(holds(task) for task in tasks)

        wait_for(all_hold, lambda: [(task.uid, task.status, task.progress) for task in tasks if not holds(task)])
        return tasks

    def claims(self) -> Claims:
        """The workers' side, of the machine that this house is where it is one of a fleet."""
        if self.membership is None:
            return Claims(self.db, self.settings)
        if self.membership.machine is None:
            self.membership.acquire()
        return Claims(self.db, self.settings, self.membership)

    def used(self) -> int:
        """Credits the account has used."""
        return credits.balance(self.db, self.account).used

    @contextmanager
    def dispatcher(self, drain_seconds: float = PATIENCE) -> Iterator[Dispatcher]:
        """A running dispatcher whose workers are ready."""
        fleet = None
        if self.membership is not None:
            fleet = Fleet.open(self.settings, self.db, self.storage, self.registry)
        dispatcher = Dispatcher(self.settings, self.db, self.storage) if fleet is None else fleet.workforce
        assert isinstance(dispatcher, Dispatcher)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PYTHONPATH", PYTHONPATH)  # where the workers find tests.support.engines
            (dispatcher if fleet is None else fleet).start()
            try:
                wait_for(dispatcher.ready)
                yield dispatcher
            finally:
                if fleet is not None:
                    fleet.hush()
                dispatcher.stop(drain_seconds)
