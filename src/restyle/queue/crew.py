"""The worker processes of one service: started, listened to, replaced. What they do is the dispatcher's to say."""

import selectors
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import structlog

from restyle.queue.claim import Claim
from restyle.queue.messages import (
    Begun,
    Broken,
    Done,
    Failed,
    Hello,
    Hindered,
    Progress,
    Ready,
    Run,
    Stop,
    Stopped,
    from_worker,
)
from restyle.queue.needs import checkpoint_of
from restyle.queue.process import Phase, WorkerProcess
from restyle.wire.codes import Code

LOAD_SECONDS = 600.0
"""How long a worker may load its engine before it is taken for one that stands still."""
TAKE_SECONDS = 10.0
"""How long an idle worker may let a task lie that was sent to it."""
STOP_SECONDS = 0.3
"""How long a run may take to give up of itself before its worker is killed."""
DEATH_SECONDS = 0.2
"""How long a killed process is waited for. Who takes longer to die is looked after later."""
RETRY_SECONDS = 0.5
MAX_RETRY_SECONDS = 30.0

Said: TypeAlias = Ready | Broken | Begun | Progress | Done | Failed | Hindered | Stopped

log = structlog.get_logger(__name__)


class Worker:
    """A place for one worker process.

    ``deadline`` is of the phase it is in, in monotonic seconds; ``began`` is when it was heard to begin
    its run, None before that and once its end was told; ``checkpoint`` is the SHA-256 of what it drew with last.
    """

    def __init__(self) -> None:
        self.process: WorkerProcess | None = None
        self.phase = Phase.LOADING
        self.claim: Claim | None = None
        self.deadline: float | None = None
        self.began: float | None = None
        self.checkpoint = ""
        self.failures = 0
        self.start_at = 0.0

    def become(self, phase: Phase, claim: Claim | None = None, seconds: float | None = None) -> None:
        """Go on to ``phase``, which may last ``seconds``."""
        if claim is not self.claim:
            self.began = None
        self.phase, self.claim = phase, claim
        self.deadline = None if seconds is None else time.monotonic() + seconds

    def late(self) -> bool:
        """Whether the phase lasts longer than it may."""
        return self.deadline is not None and time.monotonic() >= self.deadline

    def run(self, claim: Claim) -> bool:
        """Hand the task to the process. False if it is dead."""
        assert self.process is not None
        self.become(Phase.RUNNING, claim, TAKE_SECONDS)
        self.checkpoint = checkpoint_of(claim.needs) or self.checkpoint
        return self.process.send(Run.of(claim))

    def stop(self) -> None:
        """Ask it to give its run up, which keeps the engine loaded; who does not is late soon."""
        if self.phase is Phase.RUNNING and self.claim is not None and self.process is not None:
            self.process.send(Stop(claim=self.claim.claim))
            self.become(Phase.STOPPING, self.claim, STOP_SECONDS)

    def tell_end(self, outcome: str, code: Code | None = None) -> None:
        """Log the end of its run once, with its times. ``outcome`` is done, failed, or why the task runs again."""
        if self.claim is None or self.began is None:
            return
        seconds, now = time.monotonic() - self.began, datetime.now(UTC)
        self.began = None
        log.info(
            "task ended",
            task=self.claim.uid,
            outcome=outcome,
            **({} if code is None else {"code": int(code)}),
            started=(now - timedelta(seconds=seconds)).isoformat(timespec="milliseconds"),
            ended=now.isoformat(timespec="milliseconds"),
            seconds=round(seconds, 3),
        )

    def read(self, body: bytes) -> Said:
        """What the process says. Raises ValueError for what is no message, or comes when it makes no sense."""
        message = from_worker.validate_json(body)
        if isinstance(message, Ready | Broken):
            sensible = self.phase is Phase.LOADING
        else:
            sensible = self.claim is not None and message.claim == self.claim.claim
            if isinstance(message, Stopped):
                sensible = sensible and self.phase is Phase.STOPPING
        if not sensible:
            raise ValueError(f"{message.kind} makes no sense while it is {self.phase.value}")
        return message

    def put_off(self) -> None:
        """It failed to start or to load: the next try is later, and each later still."""
        self.failures += 1
        self.start_at = time.monotonic() + min(RETRY_SECONDS * 2 ** (self.failures - 1), MAX_RETRY_SECONDS)


class Crew:
    """``count`` places for worker processes. For one thread."""

    def __init__(self, count: int, hello: Hello) -> None:
        self.workers = [Worker() for _ in range(count)]
        self._hello = hello
        self._dying: list[WorkerProcess] = []

    def idle(self) -> list[Worker]:
        """Those that could run a task."""
        return [worker for worker in self.workers if worker.phase is Phase.IDLE]

    def start_missing(self) -> None:
        """Start a process wherever there is none, unless one has failed just now."""
        for worker in self.workers:
            if worker.process is None and time.monotonic() >= worker.start_at:
                try:
                    worker.process = WorkerProcess(self._hello)
                except OSError:
                    log.exception("a worker process cannot be started")
                    worker.put_off()
                else:
                    worker.become(Phase.LOADING, seconds=LOAD_SECONDS)

    def listen(self, alarm: socket.socket, seconds: float) -> Iterator[tuple[Worker, Said | None]]:
        """What the processes say, or None in place of the last word of one that is gone or talks nonsense.

        Waits for it ``seconds`` at most, and no longer than until ``alarm`` can be read.
        """
        with selectors.DefaultSelector() as selector:
            selector.register(alarm, selectors.EVENT_READ)
            for worker in self.workers:
                if worker.process is not None:
                    channel = worker.process.channel
                    events = selectors.EVENT_READ | (selectors.EVENT_WRITE if channel.full else 0)
                    selector.register(channel, events, worker)
            ready = selector.select(seconds)
        for key, events in ready:
            if key.data is None:
                alarm.recv(4096)
            else:
                yield from self._attend(key.data, events)

    def _attend(self, worker: Worker, events: int) -> Iterator[tuple[Worker, Said | None]]:
        process = worker.process
        assert process is not None
        try:
            if events & selectors.EVENT_WRITE:
                process.channel.flush()
            if events & selectors.EVENT_READ:
                for body in process.channel.receive():
                    yield worker, worker.read(body)
        except (EOFError, OSError):
            yield worker, None
        except ValueError as error:
            log.error("a worker process says what none of ours says", pid=process.pid, reason=str(error)[:1000])
            yield worker, None

    def end(self, worker: Worker) -> None:
        """End the process, also one that stands still; another may take its place."""
        assert worker.process is not None
        process, phase = worker.process, worker.phase
        process.kill()
        worker.process, worker.checkpoint = None, ""
        how = process.ended(DEATH_SECONDS)
        if how is None:
            self._dying.append(process)
        log.warning(
            "a worker process ended",
            pid=process.pid,
            how=how or "does not die yet",
            phase=phase.value,
            task=worker.claim and worker.claim.uid,
        )
        if phase is Phase.LOADING:
            worker.put_off()
        else:
            worker.start_at = 0.0
        worker.become(Phase.LOADING)

    def bury(self) -> None:
        """Let the kernel forget those that took long to die."""
        self._dying = [process for process in self._dying if process.ended() is None]

    def end_all(self, seconds: float) -> None:
        """End all processes, and wait for their deaths ``seconds`` at most."""
        for worker in self.workers:
            if worker.process is not None:
                worker.process.kill()
                self._dying.append(worker.process)
                worker.process = None
        until = time.monotonic() + seconds
        for process in self._dying:
            if process.ended(max(0.0, until - time.monotonic())) is None:
                log.error("a worker process was killed and does not end", pid=process.pid)
