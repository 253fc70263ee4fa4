"""Processes of pytest-xdist begin as forks of one that has imported what all of them need: that takes each ten seconds.

They are the interpreters that pytest-xdist would start, and collect and run as those do. One test run in a process
needs none of this, nor does a part of the suite that may never import what takes so long.
"""

import atexit
import contextlib
import gc
import importlib
import io
import os
import socket
import subprocess
import sys
import warnings

from tests.support import zygote

IMPORTED = (
    *("hypothesis", "psutil", "restyle.cli.app", "restyle.http.server", "restyle.studio.app"),
    *(zygote.WORKER, zygote.CHECKER),
    *("tests.support.models", "tests.support.studio", "tests.support.library", "benchmarks.brush"),
    *("diffusers.loaders.lora_pipeline", "peft"),
)
"""What takes long to import, most of it by the way."""
OPENED = "import tests.support.runners as runners; runners.tend({})"


def lend() -> None:
    """Have the processes that pytest-xdist starts in this one forked from now on."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-c", OPENED.format(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OPENBLAS_NUM_THREADS": "1"},
        )
    zygote.leave(zygote.RUNNER, to=lambda: ours)

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)


def tend(handle: int) -> None:
    """Fork at every order that comes through the socket ``handle``; returns in a child, to end with its program."""
    gc.disable()
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):  # what libraries miss is no news
        warnings.simplefilter("error")  # as where tests are collected
        for name in IMPORTED:
            importlib.import_module(name)
    gc.freeze()
    gc.enable()
    assert len(os.listdir("/proc/self/task")) == 1, "what has threads cannot be forked"
    zygote.tend(socket.socket(fileno=handle))
