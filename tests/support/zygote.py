"""Workers and checkers of tests begin as forks of a process that has imported what they run: importing takes a second.

:func:`adopt` gives its process a ``subprocess.Popen`` that has programs of Python forked by a zygote, where it has
imported them, and starts all others as ever. A child is its parent's like any other: it has the handles, environment,
folder, group and session that it would have, and is waited for and killed as it would be.
"""

import atexit
import contextlib
import ctypes
import fcntl
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import psutil
from execnet.gateway_io import popen_bootstrapline

WORKER = "restyle.queue.worker"
CHECKER = "restyle.images.checking.checker"
RUNNER = "pytest-xdist"
BEGUN: dict[tuple[str, ...], str] = {
    **{(sys.executable, "-P", "-m", module): module for module in (WORKER, CHECKER)},
    (sys.executable, "-u", "-c", popen_bootstrapline): RUNNER,
}
"""How a command that a zygote can do instead begins, and its program."""
OPENED = "import tests.support.zygote as zygote; zygote.begin({})"
MOST_BYTES = 1024 * 1024
MOST_HANDLES = 16
PR_SET_CHILD_SUBREAPER, PR_SET_NAME = 36, 15
NAME_LETTERS = 15
"""Of a process's name, as Linux keeps it."""
ZYGOTE = "zygote"


def children(process_id: int | None, module: str) -> list[psutil.Process]:
    """The children of that process, or of this one, that run ``module``, forked or not."""
    found = []
    for child in psutil.Process(process_id).children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if child.name() == module[-NAME_LETTERS:] or module in child.cmdline():
                found.append(child)
    return found


owned: list[socket.socket] = []
"""The other end of a zygote for the workers of this process, once there is one."""


def own() -> socket.socket:
    """The other end of a zygote for the workers of this process, which is an interpreter unless it began as a fork."""
    if not owned:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-c", OPENED.format(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env={**os.environ, **interpreters()},
            )
        owned.append(ours)

        def end() -> None:
            ours.close()
            process.wait()

        atexit.register(end)
    return owned[0]


def begin(handle: int) -> None:
    """Be the zygote of the process at the other end of the socket ``handle``, and its child."""
    for name in (WORKER, "tests.support.engines"):
        importlib.import_module(name)
    tend(socket.socket(fileno=handle))


def interpreters() -> dict[str, str]:
    """Variables of an interpreter that imports what this process can, and has no threads then."""
    return {"PYTHONPATH": os.pathsep.join(sys.path), "OPENBLAS_NUM_THREADS": "1"}


def adopt() -> bool:
    """Begin a zygote of this process, which has no threads yet, and leave starting workers and checkers to it.

    Returns True in a child of the zygote, once its program has ended: it then has nothing else to do.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        ours.close()
        return tend(theirs)
    theirs.close()
    leave(WORKER, CHECKER, to=lambda: ours)
    return False


def leave(*programs: str, to: Callable[[], socket.socket]) -> None:
    """Have those programs started by the zygote at the other end of the socket ``to``, a descendant of this process."""
    _Forked.programs, _Forked.line = programs, staticmethod(to)
    subprocess.Popen = _Forked  # type: ignore[misc]


class _Forked(subprocess.Popen[Any]):
    """A child that a zygote forks where it can."""

    programs: tuple[str, ...] = ()
    line: Callable[[], socket.socket]
    _one_at_a_time = threading.Lock()

    def _execute_child(self, args: Any, executable: Any, *rest: Any, **named: Any) -> None:
        command = [args] if isinstance(args, str) else list(args)
        program = BEGUN.get(tuple(command[:4]))
        if program not in self.programs:
            super()._execute_child(args, executable, *rest, **named)  # type: ignore[misc]
            return
        _, _, pass_fds, cwd, env, _, _, _, *pipes = rest[:14]
        p2cread, _, _, c2pwrite, _, errwrite = pipes
        standard = {0: p2cread, 1: c2pwrite, 2: errwrite}
        passed = {number: number if handle == -1 else handle for number, handle in standard.items()}
        passed.update({handle: handle for handle in pass_fds})
        order = {
            "arguments": [program, *command[4:]],
            "numbers": list(passed),
            "environment": dict(os.environ if env is None else env),
            "folder": os.getcwd() if cwd is None else str(cwd),
        }
        with self._one_at_a_time:
            # whoever is left by its parent while this lasts becomes a child of this process
            _prctl(PR_SET_CHILD_SUBREAPER, 1)
            try:
                line = type(self).line()
                socket.send_fds(line, [json.dumps(order).encode()], list(passed.values()))
                self.pid = int(line.recv(MOST_BYTES))
            finally:
                _prctl(PR_SET_CHILD_SUBREAPER, 0)
        self._child_created = True
        self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def tend(line: socket.socket) -> bool:
    """Fork at every order until the parent is gone; returns True in a child whose program has ended."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)  # to the whole group: the parent ends its children
    _name(ZYGOTE)
    while True:
        said, handles, _, _ = socket.recv_fds(line, MOST_BYTES, MOST_HANDLES)
        if not said:
            os._exit(0)
        reading, writing = os.pipe()
        if between := os.fork():
            os.close(writing)
            for handle in handles:
                os.close(handle)
            number = os.read(reading, 32)
            os.close(reading)
            os.waitpid(between, 0)  # the child is the parent's from here on
            try:
                line.send(number)
            except OSError:  # the parent is gone
                os._exit(0)
            continue
        os.close(reading)
        if child := os.fork():
            os.write(writing, str(child).encode())
            os._exit(0)
        os.close(writing)
        line.close()
        _become(json.loads(said), handles)
        return True


def _become(order: dict[str, Any], handles: list[int]) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    program = order["arguments"][0]
    _name(program[-NAME_LETTERS:])
    # first out of the way of each other's numbers
    above = max(order["numbers"]) + 1
    moved = [_moved(handle, above) for handle in handles]
    for handle, number in zip(moved, order["numbers"], strict=True):
        os.dup2(handle, number)
        os.close(handle)
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.argv = list(order["arguments"])
    if program == RUNNER:
        # a zygote of its own while it has no threads yet: workers of tests are to be its descendants
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        if os.fork() == 0:
            ours.close()
            tend(theirs)
            return
        theirs.close()
        owned.append(ours)
        exec(popen_bootstrapline, {"__name__": "__main__"})
    else:
        importlib.import_module(program).main(*map(int, sys.argv[1:]))


def _moved(handle: int, above: int) -> int:
    number = fcntl.fcntl(handle, fcntl.F_DUPFD_CLOEXEC, above)
    os.close(handle)
    return number


def _name(name: str) -> None:
    ctypes.CDLL(None).prctl(PR_SET_NAME, name.encode(), 0, 0, 0)
