"""Several files at a time: the room for all of them looked at first, one tally of what has come, one way to stop."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import httpx

from restyle.models.files.fetch import Wanted, fetch
from restyle.models.files.line import Patience
from restyle.models.files.part import Local, check_space, still_to_come

AT_ONCE = 4
"""Files that come beside each other: one line seldom gets all that a hub gives, and many get no more."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How far it is: ``done`` of ``files`` files, ``there`` of about ``total`` bytes. Sizes nobody knows yet are 0."""

    files: int
    done: int
    there: int
    total: int


class _Stopped(BaseException):
    """Ends what goes on beside something that failed."""


def fetch_all(
    http: httpx.Client,
    wanted: Sequence[Wanted],
    *,
    report: Callable[[Tally], None] = lambda tally: None,
    patience: Patience | None = None,
    at_once: int = AT_ONCE,
) -> list[Local]:
    """Make sure that all files of ``wanted`` are at their targets; ``report`` is called by one thread at a time.

    Raises RestyleError (5000) before anything is fetched where a disk has no room for what is still to come, and for
    the first file that cannot be had. The others are then stopped, and all that came stays for the next run, as it
    does where the block is interrupted.
    """
    check_space({each.target: still_to_come(each.target, each.size or each.about) for each in wanted})
    run = _Run(http, list(wanted), report, patience)
    # daemons: whoever interrupts need not wait for a line that is silent, and a part bears being left anywhere
    threads = [threading.Thread(target=run.work, daemon=True) for _ in range(min(at_once, len(wanted)))]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    except BaseException:
        run.stop.set()
        raise
    if run.error is not None:
        raise run.error
    return [run.found[index] for index in range(len(wanted))]


class _Run:
    def __init__(
        self,
        http: httpx.Client,
        wanted: list[Wanted],
        report: Callable[[Tally], None],
        patience: Patience | None,
    ) -> None:
        self.stop = threading.Event()
        self.found: dict[int, Local] = {}
        self.error: BaseException | None = None
        self._http = http
        self._wanted = wanted
        self._report = report
        self._patience = patience or replace(Patience(), sleep=self._pause)
        self._lock = threading.Lock()
        self._next = iter(range(len(wanted)))
        self._there = [0] * len(wanted)
        self._total = [each.size or each.about for each in wanted]

    def work(self) -> None:
        """Take one file after the other."""
        try:
            while (index := self._take()) is not None:
                local = fetch(
                    self._http,
                    self._wanted[index],
                    report=lambda there, total, index=index: self._tell(index, there, total),  # type: ignore[misc]
                    patience=self._patience,
                )
                with self._lock:
                    self.found[index] = local
                self._tell(index, local.size, local.size)
        except _Stopped:
            pass
        except BaseException as error:  # noqa: BLE001 - raised where the run was begun
            with self._lock:
                self.error = self.error or error
            self.stop.set()

    def _take(self) -> int | None:
        with self._lock:
            return None if self.stop.is_set() else next(self._next, None)

    def _tell(self, index: int, there: int, total: int | None) -> None:
        if self.stop.is_set():
            raise _Stopped
        with self._lock:
            self._there[index] = there
            self._total[index] = total or self._total[index]
            self._report(Tally(len(self._wanted), len(self.found), sum(self._there), sum(self._total)))

    def _pause(self, seconds: float) -> None:
        if self.stop.wait(seconds):
            raise _Stopped
