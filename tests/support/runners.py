"""Processes of pytest-xdist begin as forks of one that has imported what all of them need: that takes each ten seconds.

They are the interpreters that pytest-xdist would start, and collect and run as those do. One test run in a process
needs none of this, nor does a part of the suite that may never import what takes so long.
"""

import atexit
import gc
import os
import socket
import subprocess
import sys
import warnings
from collections.abc import Sequence

from tests.support import nursery, zygote

IMPORTED = (
    *("hypothesis", "psutil"),
    *("tests.support.models", "tests.support.studio", "tests.support.library", "benchmarks.brush"),
)
"""What takes long to import besides what nurseries have imported, most of it by the way."""
OPENED = "import tests.support.runners as runners; runners.tend({})"


def lend() -> None:
    """Have the processes that pytest-xdist starts in this one forked from now on."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-c", OPENED.format(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env={**os.environ, **zygote.interpreters()},
        )
    zygote.leave(zygote.RUNNER, to=lambda: ours)

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)


def tend(handle: int) -> None:
    """Fork at every order that comes through the socket ``handle``; returns in a child, to end with its program."""
    _import(nursery.IMPORTED)
    if nursery.sow(torch=False):
        return
    _import(nursery.TORCH)
    if nursery.sow(torch=True):
        return
    _import(IMPORTED)
    assert len(os.listdir("/proc/self/task")) == 1, "what has threads cannot be forked"
    zygote.tend(socket.socket(fileno=handle))
    for line in (*nursery.seeds.values(), *zygote.owned):
        line.close()


def _import(names: Sequence[str]) -> None:
    gc.disable()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # as where tests are collected
        nursery.imported(names)
    gc.freeze()
    gc.enable()
