"""What can go wrong between a client and a service. All are RestyleErrors, so one ``except`` catches all."""

from restyle.client.task import Task
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

NO_ANSWER = -1
"""The ``code`` of NoAnswer. No service sends it."""


class ServiceError(RestyleError):
    """The service answered, and said no: ``code`` is its RetCode, ``message`` and ``field`` are its own."""

    def __init__(self, code: int, message: str, *, field: str | None = None) -> None:
        super().__init__(Code.of(code), message, field=field)


class TaskFailed(ServiceError):
    """The task ended as Error: ``code`` is its ErrorCode, ``task`` all that is known of it."""

    def __init__(self, task: Task) -> None:
        super().__init__(task.error_code, task.error_message or f"task {task.uid} ended as Error")
        self.task = task


class NoAnswer(RestyleError):
    """Nobody answered, not in time, or with something that is no answer. ``code`` is -1."""

    def __init__(self, message: str) -> None:
        super().__init__(Code.of(NO_ANSWER), message)
