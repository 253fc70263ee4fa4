"""What the dispatcher reads and writes in the database, in a thread of its own.

A database that stands still stops nobody else: workers are heard, deadlines are kept and the service ends in time.
"""

import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import structlog

from restyle import tracing
from restyle.database import may_pass
from restyle.queue.claim import Claim
from restyle.queue.claims import Claims
from restyle.queue.reach import Reach
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

LOOK_SECONDS = 1.0
"""How long a task that another process submitted, without a call of :meth:`Ledger.look`, may go unseen."""

PATIENCE_SECONDS = 5.0
"""How long a look may take before the database is said not to answer."""
RETRY_SECONDS = 0.5
MAX_RETRY_SECONDS = 10.0

AWAY = "the database cannot be read or written"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Write:
    """Something to be written of one run. With ``end`` the run is over; a ``spare`` end stands in for a refused one."""

    claim: Claim
    kind: Literal["progress", "end", "spare"]
    do: Callable[[], None]


class Ledger:
    """Claims tasks for whoever has a free worker, and writes down what becomes of them: of one run in order.

    ``ring`` is called when there is something to :meth:`take` or to read in ``unwanted``, ``ended`` with the uid of
    a task that may have ended, ``finished`` with that of one that has for sure, and well.
    """

    def __init__(
        self,
        claims: Claims,
        reach: Reach,
        *,
        ring: Callable[[], None],
        ended: Callable[[str], None],
        finished: Callable[[str], None],
    ) -> None:
        self._claims = claims
        self._reach = reach
        self._ring = ring
        self._ended = ended
        self._finished = finished
        self.unwanted: deque[Claim] = deque()
        """Runs that nobody wants any more, as their progress was to be written."""
        self.rested: Callable[[], None] = lambda: None
        """Called when :meth:`spare` came true; replaced by whoever waits for it."""
        self._changed = threading.Condition()
        self._todo: dict[str, deque[Write]] = {}
        self._new = False
        self._held: dict[str, Claim] = {}
        self._lost: set[str] = set()
        self._taken: deque[Claim] = deque()
        self._wanted = 0
        self._looking = True
        self._closing = False
        self._trouble: str | None = None
        self._pause = 0.0
        self._unsure = False
        self._renew_at = 0.0
        self._at_work_since: float | None = None
        self._thread = threading.Thread(target=self._work, name="ledger", daemon=True)

    def open(self) -> None:
        """Begin. What a service before this one left running runs again.

        Raises :class:`RestyleError` (5000) where another service runs the tasks of this database.
        """
        self._reach.acquire()
        try:
            left = self._claims.interrupt_all(set())
        except BaseException:
            self._reach.release()
            raise
        if left:
            log.info("tasks run again that an earlier service left running", tasks=left)
        self._thread.start()

    def close(self, seconds: float) -> None:
        """Claim no more, and write what is left. A database that stands still is waited for ``seconds`` at most."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join(seconds)
        if not self.written():
            log.error("the database does not answer; the next start finds what still ran")
        self._reach.release()

    @property
    def trouble(self) -> str | None:
        """Why nothing can be claimed or written, in words for everybody; None while all is well."""
        since = self._at_work_since
        if self._trouble is None and since is not None and time.monotonic() - since > PATIENCE_SECONDS:
            return AWAY
        return self._trouble

    def written(self) -> bool:
        """Whether nothing is left to be written."""
        with self._changed:
            return not self._todo

    def look(self) -> None:
        """There may be a new task."""
        with self._changed:
            self._looking = True
            self._changed.notify()

    def spare(self) -> bool:
        """Whether a worker is free and, as of the last look, there was nothing for it."""
        with self._changed:
            looked = not self._looking and self._at_work_since is None
            return looked and self._wanted > len(self._taken)

    def take(self, free: int) -> list[Claim]:
        """Claimed tasks for ``free`` workers, as far as there are. Further ones are claimed meanwhile."""
        with self._changed:
            found = [self._taken.popleft() for _ in range(min(free, len(self._taken)))]
            wanted = free - len(found)
            if wanted > self._wanted:
                self._looking = True
                self._changed.notify()
            self._wanted = wanted
        return found

    def give_back(self) -> None:
        """Claim no more until somebody takes again; what is claimed and not taken goes back."""
        for claim in self.take(len(self._taken)):
            self.interrupt(claim)
        self.take(0)

    def progress(self, claim: Claim, fraction: float) -> None:
        """The run has come so far, 0..1."""

        def write() -> None:
            if not self._claims.progress(claim, fraction):
                self.unwanted.append(claim)
                self._ring()

        self._add(Write(claim, "progress", write))

    def finish(self, claim: Claim, images: Sequence[str], notices: Sequence[str]) -> None:
        """The task has ended well, with ``images`` (storage keys)."""

        def write() -> None:
            if self._claims.finish(claim, images, notices):
                self._finished(claim.uid)
            else:
                self._ended(claim.uid)

        self._add(Write(claim, "end", write))

    def fail(self, claim: Claim, code: Code, message: str) -> None:
        """The task has ended in an error."""
        self._add(Write(claim, "end", partial(self._fail, claim, code, message)))

    def died(self, claim: Claim) -> None:
        """The worker died of itself in the middle of the run."""

        def write() -> None:
            if not self._claims.died(claim):
                self._ended(claim.uid)

        self._add(Write(claim, "end", write))

    def interrupt(self, claim: Claim) -> None:
        """The run was broken off for no fault of the task. Nothing happens where the task has ended."""
        self._add(Write(claim, "end", partial(self._claims.interrupt, claim)))

    def _fail(self, claim: Claim, code: Code, message: str) -> None:
        self._claims.fail(claim, code, message)
        self._ended(claim.uid)

    def _add(self, write: Write) -> None:
        with self._changed:
            writes = self._todo.setdefault(write.claim.claim, deque())
            if writes and writes[-1].kind == write.kind == "progress":
                writes.pop()  # the newer says it all, however long the database was away
            writes.append(write)
            self._new = True
            self._changed.notify()

    def _work(self) -> None:
        while True:
            with self._changed:
                if self._pause:
                    self._changed.wait_for(lambda: self._closing, self._pause)
                else:
                    self._changed.wait_for(self._called, LOOK_SECONDS)
                self._looking = False
                closing = self._closing
            self._at_work_since = time.monotonic()
            try:
                self._make_sure()
                trouble = self._write()
                if not closing:
                    self._claim()
            except Exception as error:  # noqa: BLE001 - it serves everybody: whatever it is, it is tried again
                trouble = error
            self._at_work_since = None
            self._settle(trouble)
            if self.spare():
                self.rested()
            if closing and (trouble is not None or self.written()):
                return

    def _called(self) -> bool:
        return self._closing or bool(self._todo) or (self._looking and self._wanted > len(self._taken))

    def _settle(self, trouble: Exception | None) -> None:
        if trouble is None:
            self._trouble, self._pause = None, 0.0
            return
        log.error("tasks cannot be handed out; trying again", exc_info=trouble)
        lost = isinstance(trouble, RestyleError)
        self._trouble = "another service runs the tasks" if lost else AWAY
        self._pause = min(max(RETRY_SECONDS, self._pause * 2), MAX_RETRY_SECONDS)
        self._unsure = True

    def _make_sure(self) -> None:
        """That the tasks are ours to run still; that others left us those at hand; and after a failure, that no task is
        claimed whose name never reached us."""
        if self._unsure or time.monotonic() >= self._renew_at:
            self._reach.renew()
            self._renew_at = time.monotonic() + LOOK_SECONDS
            self._give_up(self._claims.lost(self._held))
        if self._unsure:
            self._claims.interrupt_all(self._held)
            self._unsure = False

    def _give_up(self, lost: Collection[str]) -> None:
        """Stop the runs of these claims, for which others have decided."""
        if lost:
            self.unwanted.extend(self._held[name] for name in lost if name not in self._lost)
            self._lost |= set(lost)
            self._ring()

    def _write(self) -> Exception | None:
        """Write what is to be written of each run, until something fails that may go well later: returns that."""
        failed: Exception | None = None
        with self._changed:
            names, self._new = list(self._todo), False
        for name in names:
            failed = self._write_run(name) or failed
        return failed

    def _write_run(self, name: str) -> Exception | None:
        while (write := self._next(name)) is not None:
            try:
                write.do()
            except Exception as error:
                if may_pass(error):
                    self._put_back(write)
                    return error
                incident = secrets.token_hex(6)
                log.exception(
                    "what became of a task cannot be written down",
                    task=write.claim.uid,
                    kind=write.kind,
                    incident=incident,
                )
                if write.kind == "end":
                    message = f"how the task ended cannot be written down; the service's log says more under {incident}"
                    self._put_back(
                        Write(write.claim, "spare", partial(self._fail, write.claim, Code.INTERNAL_ERROR, message))
                    )
                # where not even that is taken, the run stays held: nobody runs the task before the next start
            else:
                if write.kind != "progress":
                    self._held.pop(name, None)
                    self._lost.discard(name)
        return None

    def _next(self, name: str) -> Write | None:
        with self._changed:
            if not self._todo[name]:
                del self._todo[name]
                return None
            return self._todo[name].popleft()

    def _put_back(self, write: Write) -> None:
        with self._changed:
            self._todo[write.claim.claim].appendleft(write)

    def _claim(self) -> None:
        # A worker that asks for more has just ended a run: that is written first, so that no more tasks show as Running
        # than there are workers.
        while not (self._closing or self._new) and len(self._taken) < self._wanted:
            began = time.time_ns()
            claim = self._claims.next()
            if claim is None:
                return
            tracing.record("claim", claim.uid, began)
            self._held[claim.claim] = claim
            with self._changed:
                self._taken.append(claim)
            self._ring()
