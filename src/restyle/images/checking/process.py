"""A checker process as its service holds it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from typing import Any

ANSWER_BYTES = 64 * 1024
VIEWS_BYTES = 32 * 1024 * 1024
"""Of an answer that holds pictures."""
INHERITED = ("LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "PYTHONHOME", "PYTHONPATH")
"""What a checker needs to start. Passwords and tokens of the service are none of its business."""
SINGLE_THREADED = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
GIVES_BACK = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": str(1024 * 1024)}
"""Makes glibc return the memory of a large picture as soon as it is done with."""


class Died(Exception):
    """The process is gone, or talks as none of ours does. ``status`` is its exit status, below 0 a signal."""

    def __init__(self, status: int) -> None:
        super().__init__(f"ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}")
        self.status = status


class CheckerProcess:
    """Started on construction. It ends by itself when this process does, since its standard input ends then.

    Pictures go to it as bytes and answers come as JSON: nothing from a process that touches strangers' data is
    unpickled, or believed further than its words.
    """

    def __init__(self) -> None:
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        self._process = subprocess.Popen(
            # -P: the folder the service happens to be started in must not lend the checker its modules
            [sys.executable, "-P", "-m", "restyle.images.checking.checker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # libtiff comments on every row of a damaged picture
            env={**inherited, **SINGLE_THREADED, **GIVES_BACK},
        )
        self.expired = False

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def ask(self, task: dict[str, Any], data: bytes, patience: float) -> dict[str, Any]:
        """The answer to a task; kills the process after ``patience`` seconds, ``expired`` is true then. Raises Died."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        timer = threading.Timer(patience, self._expire)
        timer.daemon = True
        timer.start()
        try:
            self._process.stdin.write(json.dumps({**task, "size": len(data)}).encode() + b"\n")
            self._process.stdin.write(data)
            self._process.stdin.flush()
            answer = json.loads(self._process.stdout.readline(VIEWS_BYTES if "sides" in task else ANSWER_BYTES))
        except (OSError, ValueError, RecursionError):
            raise Died(self.end()) from None
        finally:
            timer.cancel()
        if not isinstance(answer, dict):
            raise Died(self.end())
        return answer

    def kill(self) -> None:
        """End the process from any thread; whoever asks it hears of it as Died."""
        self._process.kill()

    def end(self) -> int:
        """Kill the process if it still lives, let go of it, and return its exit status."""
        self._process.kill()
        status = self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with contextlib.suppress(OSError):  # what was still to be written has no reader
                pipe.close()
        return status

    def _expire(self) -> None:
        self.expired = True
        self._process.kill()
