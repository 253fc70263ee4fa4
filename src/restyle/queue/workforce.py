"""Whoever sees to it that tasks are run: workers of this service, or other machines."""

from dataclasses import dataclass
from typing import Protocol

from restyle.storage import StorageError


@dataclass(frozen=True, slots=True)
class WorkerState:
    """What a worker is at: ``phase`` is loading, idle, running or stopping; ``uid`` its task, empty where it has none;
    ``failures`` how often in a row it failed to load its engine.
    """

    phase: str
    uid: str
    failures: int


class Workforce(Protocol):
    """What the clients' side asks of it: :class:`restyle.queue.dispatch.Dispatcher` says it in full."""

    def start(self) -> None: ...

    def stop(self, drain_seconds: float | None = None) -> None: ...

    def trouble(self) -> str | None: ...

    def ready(self) -> bool: ...

    def storage_trouble(self) -> str | None: ...

    def storage_failed(self, error: StorageError) -> None: ...

    def notify(self) -> None: ...

    def cancel(self, uid: str) -> None: ...

    def pids(self) -> list[int]: ...

    def workers(self) -> list[WorkerState]: ...
