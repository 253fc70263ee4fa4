"""A worker process as its service holds it."""

import enum
import signal
import socket
import subprocess
import sys
from multiprocessing.connection import Connection
from typing import Any

from restyle.queue.messages import Hello, ToWorker, receive, send


class Phase(enum.Enum):
    """What a worker process is at."""

    LOADING = "loading"
    IDLE = "idle"
    RUNNING = "running"
    STOPPING = "stopping"


class WorkerProcess:
    """Started on construction. Its socket tells of its death at once: the kernel closes the other end with the process.

    Started as a program of its own and not through :mod:`multiprocessing`, whose children first run the parent's main
    module again, and whose queues hang when a process is killed while it holds their lock.
    """

    def __init__(self, hello: Hello) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                # -P: the folder the service happens to be started in must not lend the worker its modules
                [sys.executable, "-P", "-m", "restyle.queue.worker", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        self.connection = Connection(ours.detach())
        self.pid = self._process.pid
        self.send(hello)

    def send(self, message: ToWorker) -> bool:
        """Say something to the worker. False if it is dead."""
        try:
            send(self.connection, message)
        except OSError:
            return False
        return True

    def receive(self) -> Any:
        """What the worker says next, None where it is dead, or talks as none of ours does."""
        try:
            return receive(self.connection)
        except (EOFError, OSError, ValueError):
            return None

    def end(self) -> str:
        """Kill the process if it still lives, and return how it ended, in words."""
        self._process.kill()
        status = self._process.wait()
        self.connection.close()
        return f"killed by {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
