"""Makes tasks of what waits in runs, as there is room; and deletes what the Studio kept long enough.

One thread, and one place from which the Studio submits: what it accepts goes through
:func:`restyle.http.actions.accept` as everything does. A run goes on after a restart, and no item becomes two tasks:
its place in its run is its ``request_uuid``.
"""

import hashlib
import threading
import time
from collections.abc import Mapping

import structlog

from restyle import tracing
from restyle.conversion.plan import Pictures, Plan, plan
from restyle.conversion.request import CHECKED, Conversion
from restyle.conversion.stored import to_json
from restyle.http.actions import accept
from restyle.http.envelope import Refused
from restyle.http.service import Service
from restyle.queue.store import Submission
from restyle.queue.uid import new_uid
from restyle.storage import input_key
from restyle.studio import shelf
from restyle.studio.form import label_of
from restyle.studio.runs import Item, Runs, Wanted
from restyle.studio.uploads import Uploads
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError
from restyle.wire.fields import Named

ACTION = "ApplyReferenceStyle"
RAW, STYLE, CONTROL, MASK = range(4)
"""Indexes of the pictures among the inputs of a task."""
AT_ONCE = 64
LOOK_SECONDS = 1.0
"""How long what waits for room is left alone."""

log = structlog.get_logger(__name__)


class Feeder:
    """A thread; ``ring`` tells it that there is something new."""

    def __init__(self, service: Service, runs: Runs, uploads: Uploads) -> None:
        self._service = service
        self._runs = runs
        self._uploads = uploads
        self._bell = threading.Event()
        self._stopping = False
        self._swept = 0.0
        self._thread = threading.Thread(target=self._work, name="studio", daemon=True)

    def start(self) -> None:
        """Begin, with what an earlier service left waiting."""
        self._thread.start()

    def stop(self) -> None:
        """End; what waits goes on waiting."""
        self._stopping = True
        self._bell.set()
        self._thread.join(self._service.settings.drain_seconds)

    def ring(self) -> None:
        """Something waits."""
        self._bell.set()

    def planned(self, account_id: int, wanted: Wanted, uid: str = "", named: Named = label_of) -> Plan:
        """What an item comes to. Raises RestyleError as planning does, and 4006 for a photograph that is no longer
        there.
        """
        found = self._uploads.find(account_id, [wanted.raw])
        if wanted.raw not in found:
            raise RestyleError(Code.TASK_NOT_FOUND, "the photograph has expired; choose it again", field="raw")
        pictures = Pictures(
            input_key(uid, RAW),
            input_key(uid, STYLE),
            (found[wanted.raw].width, found[wanted.raw].height),
            control=input_key(uid, CONTROL) if wanted.control else None,
            mask=input_key(uid, MASK) if wanted.mask else None,
        )
        return plan(Conversion.read(wanted.asked, CHECKED), self._service.registry, pictures, named=named)

    def _work(self) -> None:
        while not self._stopping:
            try:
                more = self._feed()
                self._sweep()
            except Exception:
                log.exception("the Studio could not go on with what waits; it tries again")
                more = True
            self._bell.wait(LOOK_SECONDS if more else self._service.settings.sweep_seconds)
            self._bell.clear()

    def _feed(self) -> bool:
        """Submit what there is room for; returns whether something still waits."""
        waiting = self._runs.waiting(AT_ONCE)
        full: set[int] = set()
        for account_id, priority, item in waiting:
            if self._stopping or self._service.draining or self._service.workforce.storage_trouble():
                return True
            if account_id in full:
                continue
            try:
                self._runs.submitted(item, self._submit(account_id, priority, item))
            except RestyleError as error:
                if error.code is Code.QUEUE_FULL or isinstance(error, Refused):
                    full.add(account_id)  # there will be room
                    continue
                self._runs.refused(item, int(error.code), error.message)
        return bool(full) or len(waiting) == AT_ONCE

    def _submit(self, account_id: int, priority: int, item: Item) -> str:
        uid = new_uid()
        planned = self.planned(account_id, item, uid)
        mark = f"studio-{item.run}-{item.position}-{item.attempt}"
        digest = hashlib.sha256(mark.encode())
        submission = Submission(
            account_id=account_id,
            action=ACTION,
            request_uuid=mark,
            signature=digest.hexdigest()[:40],
            body_digest=digest.digest(),
            cost=planned.cost,
            seed=planned.seeds[0],
            seeds=planned.seeds,
            plan=to_json(planned),
            notices=planned.notices,
            priority=priority,
        )
        with self._service.needed(), tracing.span(tracing.ROOT, uid):
            return accept(self._service, uid, submission, self._pictures(account_id, item))

    def _pictures(self, account_id: int, item: Item) -> Mapping[int, bytes]:
        found = self._uploads.find(account_id, item.pictures)

        def brought(name: str, what: str) -> bytes:
            if name not in found:
                raise RestyleError(Code.TASK_NOT_FOUND, f"the {what} has expired; choose it again")
            return self._service.storage.get(found[name].key)

        pictures = {RAW: brought(item.raw, "photograph")}
        if item.style.startswith(shelf.PREFIX):
            pictures[STYLE] = shelf.picture(self._service, account_id, item.style.removeprefix(shelf.PREFIX))
        else:
            pictures[STYLE] = brought(item.style, "style picture")
        if item.control:
            pictures[CONTROL] = brought(item.control, "guide picture")
        if item.mask:
            pictures[MASK] = brought(item.mask, "mask")
        return pictures

    def _sweep(self) -> None:
        now = time.monotonic()
        if self._swept and now - self._swept < self._service.settings.sweep_seconds:
            return
        self._swept = now
        self._uploads.sweep()
        self._runs.sweep(self._service.settings.record_seconds)
