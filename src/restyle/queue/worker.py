"""A worker process: ``python -m restyle.queue.worker <file descriptor of the socket to its service>``."""

import contextlib
import os
import signal
import sys
import threading
import time
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue

from restyle.queue.engines import Engines
from restyle.queue.messages import (
    Begun,
    Broken,
    Done,
    Failed,
    Hello,
    Progress,
    Ready,
    Run,
    Stop,
    Stopped,
    receive,
    send,
)
from restyle.queue.run import run as run_task
from restyle.settings import Settings
from restyle.storage import Storage, open_storage
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

PROGRESS_SECONDS = 0.25
NICENESS = 5
OOM_SCORE = 500
TRACEBACK_CHARACTERS = 20_000


class StopRun(Exception):
    """Raised through the engine by its ``report`` when the run is no longer wanted."""


class Mailbox:
    """Listens to the service while the main thread draws, and ends the process at once when the service is gone."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._unwanted: str | None = None
        self.runs: SimpleQueue[Run] = SimpleQueue()
        threading.Thread(target=self._listen, name="mailbox", daemon=True).start()

    def unwanted(self, run: Run) -> bool:
        """Whether the service asked to stop that run."""
        return self._unwanted == run.claim

    def _listen(self) -> None:
        while True:
            try:
                message = receive(self._connection)
            except (EOFError, OSError):
                os._exit(0)
            if isinstance(message, Stop):
                self._unwanted = message.claim
            else:
                self.runs.put(message)


def main(descriptor: int) -> None:
    """Say Ready once the engine is loaded, then run one task after the other."""
    # A terminal's Ctrl-C and systemd's SIGTERM reach the whole group; when a worker ends is the service's to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    connection = Connection(descriptor)
    hello: Hello = receive(connection)
    mailbox = Mailbox(connection)
    _offer_to_the_oom_killer()
    try:
        settings = Settings(**hello.settings)
        storage = open_storage(settings)
        engines = Engines(settings)
        engines.warm()
    except Exception:  # noqa: BLE001 - whatever it was, the service logs it and tries again
        send(connection, Broken(_traceback()))
        sys.exit(1)
    os.nice(NICENESS)  # after loading, which a client may be waiting for; drawing leaves the API its share
    send(connection, Ready())
    while True:
        run = mailbox.runs.get()
        send(connection, Begun(run.claim))
        answer = _answer(connection, mailbox, run, engines, storage, settings)
        send(connection, answer)
        if isinstance(answer, Failed) and answer.last:
            sys.exit(1)  # gives the memory back for sure; a fresh process takes over


def _answer(
    connection: Connection, mailbox: Mailbox, run: Run, engines: Engines, storage: Storage, settings: Settings
) -> Done | Failed | Stopped:
    told = time.monotonic()

    def report(fraction: float) -> None:
        nonlocal told
        if mailbox.unwanted(run):
            raise StopRun
        if fraction < 1 and time.monotonic() - told >= PROGRESS_SECONDS:  # that all is done is Done's to say
            told = time.monotonic()
            send(connection, Progress(run.claim, fraction))

    try:
        return Done(run.claim, list(run_task(run.task(), engines, storage, settings, report)))
    except StopRun:
        return Stopped(run.claim)
    except RestyleError as error:
        return Failed(run.claim, error.code, error.message, _traceback())
    except MemoryError:
        # an engine that cleans up after itself says so with a RestyleError, and goes on
        text = "the machine's memory does not suffice"
        return Failed(run.claim, Code.OUT_OF_MEMORY, text, _traceback(), last=True)
    except Exception:  # noqa: BLE001 - an engine may raise anything; it ends its task, not the worker
        return Failed(run.claim, Code.ENGINE_FAILED, None, _traceback())


def _traceback() -> str:
    return traceback.format_exc()[-TRACEBACK_CHARACTERS:]


def _offer_to_the_oom_killer() -> None:
    """If memory runs out, let Linux end this process rather than the service. Elsewhere there is no such file."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(OOM_SCORE))


if __name__ == "__main__":
    main(int(sys.argv[1]))
