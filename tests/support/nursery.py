"""Services of tests begin as forks of a process that has imported what they run, since importing it takes 1.7 s each.

Such a process, a nursery, begins as a fork itself where :func:`sow` has prepared it, else as an interpreter.

They are processes like any other: environment, folder, files and session of their own, started from nothing but code.
What is fixed when an interpreter starts, such as how its memory is had, is not theirs to say.
"""

import atexit
import contextlib
import importlib
import io
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any

from tests.support import zygote

MOST_BYTES = 1024 * 1024
COMMAND = "from restyle.cli.app import main; main()"
"""The program ``restyle``, whose arguments are the command's, its name first."""
IMPORTED = (
    *("alembic.command", "pydantic.v1", "restyle.cli.app", "restyle.cli.serve", "restyle.http.server"),
    *("restyle.studio.app", "tests.support.engines", zygote.WORKER, zygote.CHECKER),
    *("concurrent.futures.thread", "sqlalchemy.dialects.sqlite", "uvicorn.lifespan.on", "uvicorn.loops.uvloop"),
)
"""What services come to need, sooner or later."""
TORCH = ("diffusers.loaders.lora_pipeline", "peft", "restyle.engines.diffusion.engine")
"""What a worker needs besides that draws with torch, which takes it up to ten seconds."""
OPENED = "import tests.support.nursery as nursery; nursery.imported({}, {}); nursery.tend({})"

seeds: dict[bool, socket.socket] = {}
"""Where nurseries begin as forks, which have imported torch or not."""


class Fork:
    """A process of the nursery, with what tests use of :class:`subprocess.Popen`."""

    def __init__(self, nursery: "Nursery", pid: int, stdout: IO[str] | None) -> None:
        self._nursery = nursery
        self.pid = pid
        self.stdout = stdout
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self._nursery.status(self.pid, 0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            self.returncode = self._nursery.status(self.pid, timeout)
        if self.returncode is None:
            assert timeout is not None
            raise subprocess.TimeoutExpired(str(self.pid), timeout)
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            # the nursery may have waited for it already, and its word of that be on the way
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Nursery:
    """Forks on demand, as long as this process lives. For threads.

    ``loaded`` are variables that are heeded when a program is loaded, which a fork is not: all its forks have them.
    ``torch``: they have imported that too.
    """

    def __init__(self, loaded: Mapping[str, str], torch: bool) -> None:
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._process: subprocess.Popen[bytes] | None = None
        with theirs:
            if torch in seeds and not loaded:
                socket.send_fds(seeds[torch], [b"a nursery"], [theirs.fileno()])
            else:
                self._process = subprocess.Popen(
                    [sys.executable, "-c", OPENED.format(IMPORTED, TORCH if torch else (), theirs.fileno())],
                    pass_fds=[theirs.fileno()],
                    env={**os.environ, **loaded, **zygote.interpreters()},
                )
        self._lock = threading.Lock()
        self._ended: dict[int, int] = {}
        self._forked: list[int] = []
        atexit.register(self._close)

    def fork(
        self,
        program: str,
        *arguments: str,
        environment: Mapping[str, str],
        stdout: int,
        stderr: int,
        folder: Path | None = None,
        session: bool = False,
    ) -> int:
        """The process id of a new process that runs the source text ``program``."""
        order = {
            "program": program,
            "arguments": arguments,
            "environment": dict(environment),
            "folder": os.getcwd() if folder is None else str(folder),
            "session": session,
        }
        with self._lock:
            socket.send_fds(self._line, [json.dumps(order).encode()], [stdout, stderr])
            while not self._forked:
                self._hear()
            return self._forked.pop()

    def status(self, pid: int, timeout: float | None) -> int | None:
        """How that process ended, as :mod:`subprocess` says it; None where it has not within ``timeout`` seconds."""
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            with self._lock:
                while select.select([self._line], [], [], 0)[0]:
                    self._hear()
                if pid in self._ended:
                    return self._ended[pid]
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                return None
            select.select([self._line], [], [], left if left is None else min(left, 0.5))

    def _close(self) -> None:
        self._line.close()
        if self._process is not None:
            self._process.wait()

    def _hear(self) -> None:
        said = self._line.recv(MOST_BYTES)
        assert said, "the nursery is gone"
        message: dict[str, int] = json.loads(said)
        if "status" in message:
            self._ended[message["pid"]] = message["status"]
        else:
            self._forked.append(message["pid"])


LOADED = ("LD_PRELOAD", "SET_CLOCK")
_nurseries: dict[tuple[bool, tuple[str, ...]], Nursery] = {}


def the_nursery(loaded: Mapping[str, str] | None = None, *, torch: bool = False) -> Nursery:
    """That of this process and of those variables, begun when it is first needed."""
    key = (torch, tuple((loaded or {}).values()))
    if key not in _nurseries:
        _nurseries[key] = Nursery(loaded or {}, torch)
    return _nurseries[key]


def fork(
    program: str,
    *arguments: str,
    environment: Mapping[str, str],
    stdout: IO[Any] | None,
    stderr: IO[Any],
    folder: Path | None = None,
    session: bool = False,
    torch: bool = False,
) -> Fork:
    """Run the source text ``program`` in a process of its own, whose output is in ``stdout``, or read from the Fork."""
    nursery = the_nursery({name: environment[name] for name in LOADED if name in environment}, torch=torch)
    begin = partial(nursery.fork, program, *arguments, environment=environment, stderr=stderr.fileno(), session=session)
    if stdout is not None:
        return Fork(nursery, begin(stdout=stdout.fileno()), None)
    reading, writing = os.pipe()
    try:
        pid = begin(stdout=writing)
    finally:
        os.close(writing)
    return Fork(nursery, pid, open(reading, encoding="utf-8"))


def several(program: str, *arguments: str, count: int = 4) -> list[str]:
    """What so many processes print that run the source text ``program`` beside each other; all of them end well."""
    with tempfile.TemporaryFile("w+") as errors:
        forks = [
            fork(program, "-c", *arguments, environment=os.environ, stdout=None, stderr=errors) for _ in range(count)
        ]
        said = []
        for each in forks:
            assert each.stdout is not None
            with each.stdout:
                said.append(each.stdout.read())
        ended = [each.wait() for each in forks]
        errors.seek(0)
        assert (errors.read(), ended) == ("", [0] * count)
    return said


def imported(*several: Sequence[str]) -> None:
    """Import those modules; what libraries miss is no news."""
    with contextlib.redirect_stderr(io.StringIO()):
        for names in several:
            for name in names:
                importlib.import_module(name)


def sow(*, torch: bool) -> bool:
    """Have nurseries of this process and of its descendants begin as forks of it as it is now, without threads.

    Returns True in such a nursery's fork, whose program has ended.
    """
    seeds[torch], line = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork():
        line.close()
        return False
    while seeds:
        seeds.popitem()[1].close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how a nursery ended
    while True:
        said, handles, _, _ = socket.recv_fds(line, MOST_BYTES, 1)
        if not said:
            os._exit(0)
        if os.fork() == 0:
            line.close()
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            tend(*handles)
            return True
        os.close(*handles)


def tend(handle: int) -> None:
    """Fork at every order that comes through the socket ``handle``; returns in a child, to end with its program."""
    line = socket.socket(fileno=handle)
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    while True:
        ready, _, _ = select.select([line.fileno(), woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            _report(line)
        if line.fileno() in ready:
            said, handles, _, _ = socket.recv_fds(line, MOST_BYTES, 2)
            if not said:
                os._exit(0)
            assert len(os.listdir("/proc/self/task")) == 1, "what has threads cannot be forked"
            if pid := os.fork():
                for each in handles:
                    os.close(each)
                line.send(json.dumps({"pid": pid}).encode())
                continue
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            line.close()
            os.close(woken)
            os.close(wake)
            _become(json.loads(said), *handles)
            return


def _report(line: socket.socket) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        line.send(json.dumps({"pid": pid, "status": os.waitstatus_to_exitcode(status)}).encode())


def _become(order: dict[str, Any], stdout: int, stderr: int) -> None:
    """Take the place of an interpreter that was started with that order, and run its program."""
    if order["session"]:
        os.setsid()
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    os.close(stdout)
    os.close(stderr)
    os.chdir(order["folder"])
    sys.stdout = os.fdopen(1, "w", buffering=1 if os.isatty(1) else -1, encoding="utf-8", closefd=False)
    os.environ.clear()
    os.environ.update(order["environment"])
    for place in os.environ.get("PYTHONPATH", "").split(os.pathsep):
        if place and (Path(place) / "sitecustomize.py").is_file():
            runpy.run_path(str(Path(place) / "sitecustomize.py"))
    if zygote.adopt():
        return
    sys.argv = list(order["arguments"])
    main = {"__name__": "__main__"}
    exec(compile(order["program"], "<program>", "exec"), main)
