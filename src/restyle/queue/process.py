"""A worker process as its service holds it."""

import enum
import signal
import socket
import subprocess
import sys

from pydantic import BaseModel

from restyle.queue.channel import Channel
from restyle.queue.messages import Hello


class Phase(enum.Enum):
    """What a worker process is at."""

    LOADING = "loading"
    IDLE = "idle"
    RUNNING = "running"
    STOPPING = "stopping"


class WorkerProcess:
    """Started on construction. Its socket tells of its death at once: the kernel closes the other end with the process.

    Started as a program of its own and not through :mod:`multiprocessing`, whose children first run the parent's main
    module again, and whose queues hang when a process is killed while it holds their lock. Nothing here waits.
    """

    def __init__(self, hello: Hello) -> None:
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self._process = subprocess.Popen(
                    # -P: the folder the service happens to be started in must not lend the worker its modules
                    [sys.executable, "-P", "-m", "restyle.queue.worker", str(theirs.fileno())],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                )
        except BaseException:
            ours.close()
            raise
        self.channel = Channel(ours)
        self.pid = self._process.pid
        self.send(hello)

    def send(self, message: BaseModel) -> bool:
        """Say something to the worker. False if it is dead."""
        try:
            self.channel.send(message)
        except OSError:
            return False
        return True

    def kill(self) -> None:
        """End the process, also one that stands still, and close its socket."""
        self._process.kill()
        self.channel.close()

    def ended(self, seconds: float = 0) -> str | None:
        """How the process ended, in words. None where the kernel has not let go of it after ``seconds``."""
        try:
            status = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        return f"killed by {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
