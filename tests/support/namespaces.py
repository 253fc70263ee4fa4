"""Machines with networks of their own inside this one: a bridge, and namespaces on wires that can be pulled."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from shutil import which

from tests.support.fleet import Place

NETWORK = "198.18.{}.{}"
"""Of RFC 2544, for benchmarks: nobody's network is routed there."""


@dataclass(frozen=True, slots=True)
class Namespace:
    """A network namespace with one wire to the bridge. ``address`` is its own."""

    name: str
    wire: str
    address: str

    @property
    def place(self) -> Place:
        """Where a machine of a fleet runs in it."""
        return Place(self.address, ("ip", "netns", "exec", self.name))

    def pull(self) -> None:
        """Pull the wire out: nothing goes or comes, and nobody is told."""
        _ip("link", "set", self.wire, "down")

    def plug(self) -> None:
        """Put it back."""
        _ip("link", "set", self.wire, "up")


class Bridge:
    """What the wires of all namespaces end in. Servers of this system that listen at ``address`` are within reach."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._name = f"rs{os.getpid()}"
        self._subnet = os.getpid() % 250
        self._plugged = 0
        self.address = NETWORK.format(self._subnet, 1)
        self._make(("link", "add", self._name, "type", "bridge"), ("link", "del", self._name))
        _ip("addr", "add", f"{self.address}/24", "dev", self._name)
        _ip("link", "set", self._name, "up")

    def namespace(self) -> Namespace:
        """One more."""
        self._plugged += 1
        found = Namespace(
            f"{self._name}-{self._plugged}",
            f"{self._name}w{self._plugged}",
            NETWORK.format(self._subnet, 1 + self._plugged),
        )
        self._make(("netns", "add", found.name), ("netns", "del", found.name))
        _ip("link", "add", found.wire, "type", "veth", "peer", "name", "eth0", "netns", found.name)
        _ip("-n", found.name, "addr", "add", f"{found.address}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            _ip("-n", found.name, "link", "set", device, "up")
        _ip("link", "set", found.wire, "master", self._name, "up")
        return found

    def _make(self, words: Sequence[str], undo: Sequence[str]) -> None:
        _ip(*words)
        self._stack.callback(_ip, *undo)


@contextmanager
def bridge() -> Iterator[Bridge | None]:
    """A bridge and its namespaces, gone afterwards; None where the system does not let us make any."""
    with ExitStack() as stack:
        yield _tried(stack) if which("ip") else None


def _tried(stack: ExitStack) -> Bridge | None:
    try:
        found = Bridge(stack)
        found.namespace()
    except subprocess.CalledProcessError:
        return None
    return found


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)
