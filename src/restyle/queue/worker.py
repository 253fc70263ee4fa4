"""A worker process: ``python -m restyle.queue.worker <file descriptor of the socket to its service>``."""

import contextlib
import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from queue import SimpleQueue

from restyle import tracing
from restyle.conversion.draw import Drawer
from restyle.images.content import ContentFilter
from restyle.queue.channel import WorkerChannel
from restyle.queue.messages import (
    MAX_TRACEBACK,
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
    plain,
    to_worker,
)
from restyle.queue.run import run as run_task
from restyle.settings import Settings
from restyle.storage import Storage, StorageError, open_storage
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

PROGRESS_SECONDS = 0.25
NICENESS = 1
"""Behind the service, and hardly behind others: beside one at 0 a core's share is almost half; at 5, a quarter."""
OOM_SCORE = 500


class StopRun(Exception):
    """Raised through the engine by its ``report`` when the run is no longer wanted."""


class Mailbox:
    """Listens to the service while the main thread draws, and ends the process at once when the service is gone."""

    def __init__(self, channel: WorkerChannel) -> None:
        self._channel = channel
        self._unwanted: str | None = None
        self.runs: SimpleQueue[Run] = SimpleQueue()
        threading.Thread(target=self._listen, name="mailbox", daemon=True).start()

    def unwanted(self, run: Run) -> bool:
        """Whether the service asked to stop that run."""
        return self._unwanted == run.claim

    def _listen(self) -> None:
        while True:
            try:
                message = to_worker.validate_json(self._channel.receive())
            except (EOFError, OSError):
                os._exit(0)
            if isinstance(message, Stop):
                self._unwanted = message.claim
            elif isinstance(message, Run):
                self.runs.put(message)


def main(descriptor: int) -> None:
    """Say Ready once the engine is loaded, then run one task after the other."""
    # A terminal's Ctrl-C and systemd's SIGTERM reach the whole group; when a worker ends is the service's to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    channel = WorkerChannel(descriptor)
    hello = to_worker.validate_json(channel.receive())
    assert isinstance(hello, Hello)
    mailbox = Mailbox(channel)
    _offer_to_the_oom_killer()
    try:
        settings = Settings(**hello.settings)
        tracing.start(settings.tracing_endpoint, "worker", settings.machine_name)
        storage = open_storage(settings)
        drawer = Drawer(settings, own_process=True, processes=settings.workers)
        drawer.warm()
        content = ContentFilter.of(settings)
    except Exception:  # noqa: BLE001 - whatever it was, the service logs it and tries again
        channel.send(Broken(traceback=_traceback()))
        sys.exit(1)
    os.nice(NICENESS)  # after loading, which a client may be waiting for; drawing leaves the API its share
    channel.send(Ready())
    while True:
        run = mailbox.runs.get()
        channel.send(Begun(claim=run.claim))
        answer = _answer(channel, mailbox, run, drawer, storage, settings, content)
        channel.send(answer)
        if isinstance(answer, Failed) and answer.last:
            sys.exit(1)  # gives the memory back for sure; a fresh process takes over


def _answer(
    channel: WorkerChannel,
    mailbox: Mailbox,
    run: Run,
    drawer: Drawer,
    storage: Storage,
    settings: Settings,
    content: ContentFilter | None,
) -> Done | Failed | Hindered | Stopped:
    told = time.monotonic()

    def report(fraction: float) -> None:
        nonlocal told
        if mailbox.unwanted(run):
            raise StopRun
        if fraction < 1 and time.monotonic() - told >= PROGRESS_SECONDS:  # that all is done is Done's to say
            told = time.monotonic()
            channel.send(Progress(claim=run.claim, fraction=fraction))

    def failed(code: Code, message: str | None, last: bool = False) -> Failed:
        shown = None if message is None else plain(message)
        return Failed(claim=run.claim, code=code, message=shown, traceback=_traceback(), last=last)

    try:
        notices = run_task(run.task(), drawer, storage, settings, report, content)
        return Done(claim=run.claim, notices=[plain(notice) for notice in notices])
    except StopRun:
        return Stopped(claim=run.claim)
    except StorageError as error:
        return Hindered(claim=run.claim, key=error.key, size=error.size, reason=plain(error.message))
    except RestyleError as error:
        # an engine that cleans up after itself says so with this, and goes on where it can
        return failed(error.code, error.message, last=not drawer.sound_after(error))
    except MemoryError:
        return failed(Code.OUT_OF_MEMORY, "the machine's memory does not suffice", last=True)
    except Exception:  # noqa: BLE001 - an engine may raise anything; it ends its task, not the worker
        return failed(Code.ENGINE_FAILED, None)


def _traceback() -> str:
    return plain(traceback.format_exc()[-MAX_TRACEBACK:], MAX_TRACEBACK)


def _offer_to_the_oom_killer() -> None:
    """If memory runs out, let Linux end this process rather than the service. Elsewhere there is no such file."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(OOM_SCORE))


if __name__ == "__main__":
    main(int(sys.argv[1]))
