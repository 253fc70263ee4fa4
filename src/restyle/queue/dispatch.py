"""Supervises the worker processes of one machine: hands out tasks, hears how they end, replaces who dies.

One thread does all of it, waiting for whichever comes first: a worker's word, a worker's death, a call, a deadline. It
waits for nothing else: not for a worker that stands still, nor for the database (:mod:`restyle.queue.ledger`) or the
storage (:mod:`restyle.queue.probe`), which have threads of their own.
"""

import secrets
import socket
import threading
import time
from collections import deque
from collections.abc import Callable

import sqlalchemy as sa
import structlog

from restyle.queue.claim import Claim
from restyle.queue.claims import Claims
from restyle.queue.crew import STOP_SECONDS, Crew, Said, Worker
from restyle.queue.ledger import Ledger
from restyle.queue.lock import SupervisorLock
from restyle.queue.messages import Begun, Broken, Done, Failed, Hello, Hindered, Progress, Ready, Stopped
from restyle.queue.needs import checkpoint_of
from restyle.queue.probe import Probe
from restyle.queue.process import Phase
from restyle.queue.reach import Reach
from restyle.queue.retention import Retention
from restyle.queue.workforce import WorkerState
from restyle.settings import Settings
from restyle.storage import Storage, StorageError, result_key
from restyle.wire.codes import Code

LOOK_SECONDS = 1.0
"""How long the thread sleeps at most."""
CLOSE_SECONDS = 5.0
"""How long the end of the service waits for what does not end: a process, a database, a storage."""
RETRY_SECONDS = 0.5
MAX_RETRY_SECONDS = 8.0

log = structlog.get_logger(__name__)


class Dispatcher:
    """Runs tasks of a database in ``settings.workers`` processes, and its retention. Call from any thread.

    ``reach`` says which tasks; all, as the one service that runs them, unless given.
    """

    def __init__(self, settings: Settings, db: sa.Engine, storage: Storage, reach: Reach | None = None) -> None:
        self._settings = settings
        self._retention = Retention(db, storage, settings)
        self._probe = Probe(storage, self._ring)
        reach = SupervisorLock(db) if reach is None else reach
        ended, finished = self._retention.ended, self._retention.finished
        self._ledger = Ledger(Claims(db, settings, reach), reach, ring=self._ring, ended=ended, finished=finished)
        self._crew = Crew(settings.workers, Hello.of(settings))
        # Runs that storage broke off, with the key that could not be read: they wait until it works again.
        self._hindered: list[tuple[Claim, str | None]] = []
        self._cancelled: deque[str] = deque()
        self._alarm, self._bell = socket.socketpair()
        self._alarm.setblocking(False)
        self._bell.setblocking(False)
        self._drain_until: float | None = None
        self._loaded = False
        self._failures = 0
        self._stopping = threading.Lock()
        self._thread = threading.Thread(target=self._supervise, name="dispatcher", daemon=True)

    def start(self) -> None:
        """Begin. What a service before this one left running runs again.

        Raises :class:`RestyleError` (5000) where another service runs the tasks of this database.
        """
        try:
            self._ledger.open()
        except BaseException:
            self._close()
            raise
        self._retention.start()
        self._probe.start()
        self._thread.start()

    def stop(self, drain_seconds: float | None = None) -> None:
        """Hand out no more tasks, wait for running ones (``settings.drain_seconds`` at most), end all workers.

        What still runs then is left to the next start, as is what is queued. A second call may shorten the wait of the
        first; both return when all has ended.
        """
        until = time.monotonic() + (self._settings.drain_seconds if drain_seconds is None else drain_seconds)
        self._drain_until = until if self._drain_until is None else min(until, self._drain_until)
        self._ring()
        with self._stopping:
            self._thread.join()
            self._ledger.close(CLOSE_SECONDS)
            self._retention.stop(CLOSE_SECONDS)
            self._probe.stop(CLOSE_SECONDS)
            self._close()

    def trouble(self) -> str | None:
        """Why a task sent now would not be run, in words for everybody; None where it would."""
        if self._drain_until is not None:
            return "the service is stopping"
        if self._failures or not self._thread.is_alive():
            return "tasks cannot be handed out"
        if self._ledger.trouble is not None or self._probe.trouble is not None:
            return self._ledger.trouble or self._probe.trouble
        if not self._loaded or any(worker.failures for worker in self._crew.workers):
            return "no worker has loaded its engine yet"
        return None

    def ready(self) -> bool:
        """Whether tasks are taken and run: an engine was loaded, and no worker since failed to load it again."""
        return self.trouble() is None

    def workers(self) -> list[WorkerState]:
        """What each worker is at now."""
        return [
            WorkerState(worker.phase.value, worker.claim.uid if worker.claim is not None else "", worker.failures)
            for worker in self._crew.workers
        ]

    def storage_trouble(self) -> str | None:
        """What storage cannot do, in words for everybody; None while it works."""
        return self._probe.trouble

    def storage_failed(self, error: StorageError) -> None:
        """Storage failed somebody: hand out no more tasks until it works again."""
        self._probe.failed(error.size)
        self._ring()

    def notify(self) -> None:
        """There is a new task."""
        self._ledger.look()

    def cancel(self, uid: str) -> None:
        """The task was ended (by :meth:`restyle.queue.store.TaskStore.terminate`): stop working at it."""
        self._cancelled.append(uid)
        self._ring()

    def spare(self) -> bool:
        """Whether a worker is free and there is nothing for it."""
        return self._ledger.spare()

    def at_rest(self, call: Callable[[], None]) -> None:
        """Have ``call`` called, from a thread that must not wait, whenever :meth:`spare` came true."""
        self._ledger.rested = call

    def loaded(self) -> frozenset[str]:
        """The SHA-256 of the checkpoints that workers drew with last, and have loaded."""
        return frozenset(worker.checkpoint for worker in self._crew.workers if worker.checkpoint)

    def pids(self) -> list[int]:
        """The process ids of the workers there are now."""
        return [process.pid for worker in self._crew.workers if (process := worker.process) is not None]

    def _ring(self) -> None:
        try:
            self._bell.send(b"!")
        except OSError:
            return  # it rings already, or nobody listens any more

    def _close(self) -> None:
        self._bell.close()
        self._alarm.close()

    def _supervise(self) -> None:
        while not self._drained():
            try:
                self._look_after()
            except Exception:
                self._failures += 1
                pause = min(RETRY_SECONDS * 2 ** (self._failures - 1), MAX_RETRY_SECONDS)
                log.exception("the workers cannot be looked after; trying again", seconds=pause)
                time.sleep(pause)
            else:
                self._failures = 0
        self._end_all()

    def _look_after(self) -> None:
        if self._drain_until is None:
            self._crew.start_missing()
        self._stop_unwanted()
        self._keep_deadlines()
        self._release_hindered()
        self._hand_out()
        self._crew.bury()
        for worker, said in self._crew.listen(self._alarm, self._pause()):
            if said is None:
                self._lose(worker)
            else:
                self._hear(worker, said)

    def _drained(self) -> bool:
        if self._drain_until is None:
            return False
        running = any(worker.phase is Phase.RUNNING for worker in self._crew.workers)
        return time.monotonic() >= self._drain_until or not (running or not self._ledger.written())

    def _pause(self) -> float:
        workers = self._crew.workers
        moments = [worker.deadline for worker in workers if worker.deadline is not None]
        if self._drain_until is None:
            moments += [worker.start_at for worker in workers if worker.process is None]
        else:
            moments.append(self._drain_until)
        now = time.monotonic()
        return max(0.0, min([now + LOOK_SECONDS, *moments]) - now)

    def _hear(self, worker: Worker, said: Said) -> None:
        claim, running = worker.claim, worker.phase is Phase.RUNNING
        match said:
            case Ready():
                worker.failures = 0
                self._loaded = True
                worker.become(Phase.IDLE)
            case Broken():
                log.error("a worker cannot load its engine", traceback=said.traceback)
            case Begun() if running and claim is not None:
                worker.become(Phase.RUNNING, claim, self._settings.task_seconds)
                worker.began = time.monotonic()
                log.info("task started", task=claim.uid)
            case Progress() if running and claim is not None:
                self._ledger.progress(claim, said.fraction)
            case Done() | Failed() | Hindered() | Stopped() if claim is not None:
                if running:
                    worker.tell_end(said.kind, _code(said))
                    self._record(claim, said)
                    worker.become(Phase.IDLE)
                else:
                    self._let_go(worker)
                if isinstance(said, Failed) and said.last:
                    worker.become(Phase.STOPPING, seconds=STOP_SECONDS)  # it ends of itself

    def _record(self, claim: Claim, said: Done | Failed | Hindered | Stopped) -> None:
        match said:
            case Done():
                images = [result_key(claim.uid, claim.claim, index) for index in range(len(claim.seeds))]
                self._ledger.finish(claim, images, said.notices)
            case Failed():
                self._ledger.fail(claim, *self._reason(claim, said))
            case Hindered():
                log.error("storage broke off a run", task=claim.uid, reason=said.reason)
                suspect = said.key if said.size is None else None
                self._hindered.append((claim, suspect))
                self._probe.failed(said.size, suspect)

    def _reason(self, claim: Claim, failed: Failed) -> tuple[Code, str]:
        if failed.message is not None:
            log.warning("a task failed", task=claim.uid, code=failed.code, traceback=failed.traceback)
            return failed.code, failed.message
        incident = secrets.token_hex(6)
        log.error("an engine failed", task=claim.uid, incident=incident, traceback=failed.traceback)
        return failed.code, f"{failed.code.meaning}; the service's log says more under {incident}"

    def _let_go(self, worker: Worker) -> None:
        """The run that was to stop has stopped, or its process has ended: nothing more of it will be stored."""
        worker.tell_end("stopped")
        if worker.claim is not None:
            self._ledger.interrupt(worker.claim)
            self._retention.ended(worker.claim.uid)
        worker.become(Phase.IDLE)

    def _lose(self, worker: Worker) -> None:
        """The process is dead, or as good as: its task, if it had one, runs again, and another takes its place."""
        claim, running, begun = worker.claim, worker.phase is Phase.RUNNING, worker.began is not None
        worker.tell_end("worker died" if running else "stopped")
        self._crew.end(worker)
        if claim is None:
            return
        if running and begun:
            self._ledger.died(claim)
        else:  # who died before it began died of something else, and who was to stop was killed: no attempt is counted
            self._ledger.interrupt(claim)
        if not running:
            self._retention.ended(claim.uid)

    def _stop_unwanted(self) -> None:
        while self._ledger.unwanted:
            unwanted = self._ledger.unwanted.popleft()
            for worker in self._crew.workers:
                if worker.claim is unwanted:
                    worker.stop()
        while self._cancelled:
            uid = self._cancelled.popleft()
            at_it = [worker for worker in self._crew.workers if worker.claim is not None and worker.claim.uid == uid]
            for worker in at_it:
                worker.stop()
            if not at_it:
                self._retention.ended(uid)

    def _keep_deadlines(self) -> None:
        for worker in self._crew.workers:
            if not worker.late():
                continue
            if worker.phase is Phase.RUNNING and worker.claim is not None and worker.began is not None:
                limit = f"the task ran longer than the {self._settings.task_seconds:g} seconds it may"
                worker.tell_end("failed", Code.TIME_LIMIT)
                self._ledger.fail(worker.claim, Code.TIME_LIMIT, limit)
                worker.stop()
            elif worker.process is not None:
                self._lose(worker)

    def _release_hindered(self) -> None:
        """Runs that storage broke off run again once it works, but for those whose images alone cannot be read."""
        if self._probe.trouble is not None and self._drain_until is None:
            return
        while self._hindered:
            claim, suspect = self._hindered.pop()
            if suspect is not None and self._probe.spoilt(suspect):
                self._ledger.fail(claim, Code.INTERNAL_ERROR, "a stored image of the task cannot be read any more")
            else:
                self._ledger.interrupt(claim)

    def _hand_out(self) -> None:
        if self._drain_until is not None or self._probe.trouble is not None:
            self._ledger.give_back()
            return
        idle = self._crew.idle()
        for claim in self._ledger.take(len(idle)):
            checkpoint = checkpoint_of(claim.needs)
            worker = next((each for each in idle if checkpoint and each.checkpoint == checkpoint), idle[0])
            idle.remove(worker)
            if not worker.run(claim):
                self._lose(worker)

    def _end_all(self) -> None:
        for worker in self._crew.workers:
            if worker.phase is Phase.RUNNING and worker.claim is not None:
                worker.tell_end("interrupted")
                self._ledger.interrupt(worker.claim)
        self._crew.end_all(CLOSE_SECONDS)
        self._ledger.give_back()


def _code(said: Done | Failed | Hindered | Stopped) -> Code | None:
    match said:
        case Done():
            return Code.SUCCESS
        case Failed():
            return said.code
    return None
