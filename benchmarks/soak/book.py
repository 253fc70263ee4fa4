"""What clients were promised, and what became of it, as they saw it themselves."""

import threading
from collections import Counter
from dataclasses import dataclass, field

End = tuple[str, int]
"""Status and ErrorCode of a task that has ended."""
WELL: End = ("Finished", 0)
FAILED: End = ("Error", 5101)
TERMINATED: End = ("Error", 5104)
UNREADABLE: End = ("Error", 5000)


@dataclass(slots=True)
class Order:
    """One task as its client knows it. ``right`` are the ends that it may come to; ``uid`` is empty until accepted."""

    mark: str
    prompts: tuple[str, ...]
    right: frozenset[End]
    uid: str = ""
    end: End | None = None
    image: str = ""
    downloaded: bool = False


@dataclass(slots=True)
class Book:
    """Every order of one account. ``wrong`` has a sentence for everything that must not be."""

    orders: list[Order] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def complain(self, kind: str, text: str) -> None:
        """Note what must not be: ``kind`` is counted, ``text`` kept."""
        with self.lock:
            self.counts[kind] += 1
            if len(self.wrong) < 200:
                self.wrong.append(f"{kind}: {text}")

    def count(self, what: str) -> None:
        with self.lock:
            self.counts[what] += 1

    def accepted(self) -> list[Order]:
        """The orders that were accepted so far."""
        with self.lock:
            return [order for order in self.orders if order.uid]

    def outstanding(self) -> list[Order]:
        """Those of them that are not known to have ended."""
        return [order for order in self.accepted() if order.end is None]

    def finished(self) -> int:
        """How many ended well: each is a credit."""
        return sum(order.end == WELL for order in self.accepted())
