"""Supervises the worker processes of one machine: hands out tasks, hears how they end, replaces who dies.

One thread does all of it, waiting for whichever comes first: a worker's word, a worker's death, a call, a deadline.
"""

import secrets
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import wait

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import SQLAlchemyError

from restyle.queue.claims import Claims
from restyle.queue.lock import SupervisorLock
from restyle.queue.messages import Begun, Broken, Done, Failed, FromWorker, Hello, Progress, Ready, Run, Stop, Stopped
from restyle.queue.process import Phase, WorkerProcess
from restyle.queue.retention import Retention
from restyle.queue.spec import Claim
from restyle.settings import Settings
from restyle.storage import Storage, result_key
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

LOOK_SECONDS = 1.0
"""How long a task that another process submitted, without a call of :meth:`Dispatcher.notify`, may go unseen."""

STOP_SECONDS = 0.3
"""How long a run may take to give up of itself before its worker is killed."""

CODES = {code.value: code for code in Code}

RETRY_SECONDS = 0.5
MAX_RETRY_SECONDS = 30.0

log = structlog.get_logger(__name__)


class Worker:
    """A place for one worker process.

    ``deadline`` is of the phase it is in, in monotonic seconds; ``begun`` says that it was heard to begin its run.
    """

    def __init__(self) -> None:
        self.process: WorkerProcess | None = None
        self.phase = Phase.LOADING
        self.claim: Claim | None = None
        self.deadline: float | None = None
        self.begun = False
        self.failures = 0
        self.start_at = 0.0

    def become(self, phase: Phase, claim: Claim | None = None, deadline: float | None = None) -> None:
        self.phase, self.claim, self.deadline, self.begun = phase, claim, deadline, False


class Dispatcher:
    """Runs the tasks of a database in ``settings.workers`` processes, and its retention. Call from any thread."""

    def __init__(self, settings: Settings, db: sa.Engine, storage: Storage) -> None:
        self._settings = settings
        self._claims = Claims(db, settings)
        self._lock = SupervisorLock(db)
        self._retention = Retention(db, storage, settings)
        self._hello = Hello.of(settings)
        self._workers = [Worker() for _ in range(settings.workers)]
        # What is to be written to the database, in order; what fails there stays and is tried again.
        self._writes: deque[Callable[[], None]] = deque()
        self._cancelled: deque[str] = deque()
        self._ended: deque[str] = deque()
        self._alarm, self._bell = socket.socketpair()
        self._alarm.setblocking(False)
        self._bell.setblocking(False)
        self._drain_until: float | None = None
        self._unsure = False
        self._renew_at = 0.0
        self._loaded = False
        self._stopping = threading.Lock()
        self._thread = threading.Thread(target=self._supervise, name="dispatcher", daemon=True)

    def start(self) -> None:
        """Begin. What a service before this one left running runs again.

        Raises :class:`RestyleError` (5000) where another service runs the tasks of this database.
        """
        try:
            self._lock.acquire()
        except RestyleError:
            self._close()
            raise
        left = self._claims.interrupt_all(set())
        if left:
            log.info("tasks run again that an earlier service left running", tasks=left)
        self._retention.start()
        self._thread.start()

    def stop(self, drain_seconds: float | None = None) -> None:
        """Hand out no more tasks, wait for running ones (``settings.drain_seconds`` at most), end all workers.

        What still runs then is left to the next start, as is what is queued. A second call may shorten the wait of the
        first; both return when all has ended.
        """
        until = time.monotonic() + (self._settings.drain_seconds if drain_seconds is None else drain_seconds)
        self._drain_until = until if self._drain_until is None else min(until, self._drain_until)
        self.notify()
        with self._stopping:
            self._thread.join()
            self._retention.stop()
            self._lock.release()
            self._close()

    def ready(self) -> bool:
        """Whether tasks are taken and run: an engine was loaded, and no worker since failed to load it again."""
        able = self._loaded and not any(worker.failures for worker in self._workers)
        return able and self._drain_until is None and self._thread.is_alive()

    def notify(self) -> None:
        """There is a new task."""
        try:
            self._bell.send(b"!")
        except OSError:
            return  # it rings already, or nobody listens any more

    def cancel(self, uid: str) -> None:
        """The task was ended (by :meth:`restyle.queue.store.TaskStore.terminate`): stop working at it."""
        self._cancelled.append(uid)
        self.notify()

    def pids(self) -> list[int]:
        """The process ids of the workers there are now."""
        return [worker.process.pid for worker in self._workers if worker.process is not None]

    def _close(self) -> None:
        self._bell.close()
        self._alarm.close()

    def _supervise(self) -> None:
        while not self._drained():
            try:
                self._start_missing()
                self._stop_cancelled()
                self._keep_deadlines()
                self._write()
                self._make_sure()
                self._hand_out()
                self._clean_up()
                pause = self._pause()
            except (SQLAlchemyError, OSError, RestyleError):  # no database, no process, no lock: all may come back
                log.exception("tasks cannot be handed out; trying again")
                self._unsure = True
                pause = RETRY_SECONDS
            self._listen(pause)
        self._end_all()

    def _drained(self) -> bool:
        if self._drain_until is None:
            return False
        running = any(worker.phase is Phase.RUNNING for worker in self._workers)
        return time.monotonic() >= self._drain_until or not (running or self._writes)

    def _pause(self) -> float:
        now = time.monotonic()
        moments = [worker.deadline for worker in self._workers if worker.deadline is not None]
        if self._drain_until is None:
            moments += [worker.start_at for worker in self._workers if worker.process is None]
        else:
            moments.append(self._drain_until)
        return max(0.0, min([now + LOOK_SECONDS, *moments]) - now)

    def _listen(self, pause: float) -> None:
        speakers = {worker.process.connection: worker for worker in self._workers if worker.process is not None}
        for source in wait([self._alarm, *speakers], pause):
            if source is self._alarm:
                self._alarm.recv(4096)
                continue
            worker = speakers[source]  # type: ignore[index]
            assert worker.process is not None
            message: FromWorker | None = worker.process.receive()
            if message is None:
                self._bury(worker)
            else:
                self._hear(worker, message)

    def _hear(self, worker: Worker, message: FromWorker) -> None:
        claim = worker.claim
        match message:
            case Ready():
                worker.failures = 0
                self._loaded = True
                worker.become(Phase.IDLE)
            case Broken():
                log.error("a worker cannot load its engine", traceback=message.traceback)
            case Begun():
                worker.begun = True
            case Progress():
                if claim is not None and worker.phase is Phase.RUNNING:
                    self._writes.append(partial(self._progress, worker, claim, message.fraction))
            case Stopped():
                self._let_go(worker)
            case Done():
                if claim is not None and worker.phase is Phase.RUNNING:
                    self._writes.append(partial(self._finish, claim, message.notices))
                self._let_go(worker)
            case Failed():
                if claim is not None and worker.phase is Phase.RUNNING:
                    self._writes.append(partial(self._fail, claim, *self._reason(claim, message)))
                self._let_go(worker)
                if message.last:
                    worker.become(Phase.STOPPING, deadline=time.monotonic() + STOP_SECONDS)  # it ends of itself

    def _let_go(self, worker: Worker) -> None:
        if worker.claim is not None and worker.phase is Phase.STOPPING:
            self._ended.append(worker.claim.uid)
        worker.become(Phase.IDLE)

    def _reason(self, claim: Claim, failed: Failed) -> tuple[Code, str]:
        code = CODES.get(failed.code, Code.ENGINE_FAILED)
        if failed.message is not None:
            log.warning("a task failed", task=claim.uid, code=code, traceback=failed.traceback)
            return code, failed.message
        incident = secrets.token_hex(6)
        log.error("an engine failed", task=claim.uid, incident=incident, traceback=failed.traceback)
        return code, f"{code.meaning}; the service's log says more under {incident}"

    def _bury(self, worker: Worker) -> None:
        """The process is dead: its task, if it had one, runs again, and another process takes its place."""
        assert worker.process is not None
        pid, how = worker.process.pid, worker.process.end()
        worker.process = None
        claim, phase = worker.claim, worker.phase
        if phase is Phase.LOADING:
            worker.failures += 1
            worker.start_at = time.monotonic() + min(RETRY_SECONDS * 2 ** (worker.failures - 1), MAX_RETRY_SECONDS)
        else:
            worker.start_at = 0.0
        log.warning("a worker process ended", pid=pid, how=how, phase=phase.value, task=claim and claim.uid)
        if claim is not None and phase is Phase.RUNNING:
            # Who died before it began died of something else: the task had no part in that.
            self._writes.append(partial(self._died if worker.begun else self._claims.interrupt, claim))
        elif claim is not None:
            self._ended.append(claim.uid)
        worker.become(Phase.LOADING)

    def _start_missing(self) -> None:
        for worker in self._workers:
            if worker.process is None and self._drain_until is None and time.monotonic() >= worker.start_at:
                worker.become(Phase.LOADING)
                worker.process = WorkerProcess(self._hello)

    def _stop_cancelled(self) -> None:
        while self._cancelled:
            uid = self._cancelled.popleft()
            for worker in self._workers:
                if worker.claim is not None and worker.claim.uid == uid:
                    self._stop(worker)
                    break
            else:
                self._ended.append(uid)

    def _stop(self, worker: Worker) -> None:
        """Ask first, which keeps the engine loaded; whoever does not answer is killed by :meth:`_keep_deadlines`."""
        if worker.phase is Phase.RUNNING and worker.claim is not None and worker.process is not None:
            worker.process.send(Stop(worker.claim.claim))
            worker.become(Phase.STOPPING, worker.claim, time.monotonic() + STOP_SECONDS)

    def _keep_deadlines(self) -> None:
        for worker in self._workers:
            if worker.deadline is None or worker.deadline > time.monotonic():
                continue
            if worker.phase is Phase.RUNNING and worker.claim is not None:
                limit = f"the task ran longer than the {self._settings.task_seconds:g} seconds it may"
                self._writes.append(partial(self._fail, worker.claim, Code.TIME_LIMIT, limit))
                self._stop(worker)
            elif worker.process is not None:
                self._bury(worker)

    def _write(self) -> None:
        while self._writes:
            self._writes[0]()
            self._writes.popleft()

    def _make_sure(self) -> None:
        """That the lock is ours still, and after a failure, that no task is claimed whose name never reached us."""
        if self._unsure or time.monotonic() >= self._renew_at:
            self._lock.renew()
            self._renew_at = time.monotonic() + LOOK_SECONDS
        if self._unsure:
            self._claims.interrupt_all({worker.claim.claim for worker in self._workers if worker.claim is not None})
            self._unsure = False

    def _hand_out(self) -> None:
        if self._drain_until is not None:
            return
        for worker in self._workers:
            if worker.phase is not Phase.IDLE or worker.process is None:
                continue
            claim = self._claims.next() if self._claims.waiting() else None
            if claim is None:
                return
            if worker.process.send(Run.of(claim)):
                worker.become(Phase.RUNNING, claim, time.monotonic() + self._settings.task_seconds)
            else:  # it died before it heard of the task, which therefore had no part in that
                self._writes.append(partial(self._claims.interrupt, claim))
                worker.become(Phase.STOPPING, deadline=time.monotonic())

    def _clean_up(self) -> None:
        """Comes after handing out, so that no worker waits for files to be deleted."""
        while self._ended:
            self._retention.ended(self._ended.popleft())

    def _progress(self, worker: Worker, claim: Claim, fraction: float) -> None:
        if not self._claims.progress(claim, fraction) and worker.claim is claim:
            self._stop(worker)

    def _finish(self, claim: Claim, notices: list[str]) -> None:
        images = [result_key(claim.uid, claim.claim, index) for index in range(len(claim.seeds))]
        self._claims.finish(claim, images, notices)
        self._ended.append(claim.uid)

    def _fail(self, claim: Claim, code: Code, message: str) -> None:
        self._claims.fail(claim, code, message)
        self._ended.append(claim.uid)

    def _died(self, claim: Claim) -> None:
        if not self._claims.died(claim):
            self._ended.append(claim.uid)

    def _end_all(self) -> None:
        for worker in self._workers:
            if worker.process is None:
                continue
            if worker.phase is Phase.RUNNING and worker.claim is not None:
                self._writes.append(partial(self._claims.interrupt, worker.claim))
            worker.process.end()
            worker.process = None
        try:
            self._write()
        except SQLAlchemyError:
            log.exception("the database does not answer; the next start finds what still ran")
        self._clean_up()
