"""What ``/readyz`` says, asked again and again while faults come and go."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import httpx

LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Word:
    """What one address said, at a moment in monotonic seconds. ``ready`` is None where it said nothing."""

    at: float
    address: str
    ready: bool | None
    why: str = ""


class Readiness:
    """A thread an address."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._words: list[Word] = []
        self._stopping = threading.Event()
        self.addresses = list(addresses)
        self._threads = [threading.Thread(target=self._ask, args=(each,), daemon=True) for each in self.addresses]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def told(self, began: float, ended: float) -> float | None:
        """Seconds from ``began`` until every address had said that it is not ready; None where one never did."""
        words = [word for word in list(self._words) if began <= word.at <= ended and word.ready is False]
        first = {
            address: min((w.at for w in words if w.address == address), default=None) for address in self.addresses
        }
        found = [at for at in first.values() if at is not None]
        return max(found) - began if len(found) == len(first) else None

    def forget(self) -> None:
        """What was said so far."""
        self._words = []

    def _ask(self, address: str) -> None:
        with httpx.Client(timeout=10, trust_env=False) as client:
            while not self._stopping.wait(LOOK_SECONDS):
                try:
                    answer = client.get(f"{address}/readyz")
                except httpx.TransportError:
                    self._words.append(Word(time.monotonic(), address, None))
                else:
                    self._words.append(Word(time.monotonic(), address, answer.status_code == 200, answer.text))
