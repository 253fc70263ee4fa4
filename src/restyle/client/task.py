"""A task as a client sees it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

ENDED = frozenset({"Finished", "Error"})


@dataclass(frozen=True, slots=True)
class Task:
    """One state of a task. What a service does not tell (PICPIK's own tells less than Restyle) has its default.

    ``status`` is ``Queuing``, ``Running``, ``Finished`` or ``Error``; ``images`` are URLs; ``progress`` is 0..1;
    ``points`` are credits; ``error_code`` 0 means none.
    """

    uid: str
    status: str = "Queuing"
    progress: float = 0.0
    images: tuple[str, ...] = ()
    seed: int | None = None
    seeds: tuple[int, ...] = ()
    queue_position: int | None = None
    points: int = 0
    error_code: int = 0
    error_message: str = ""
    notices: tuple[str, ...] = ()

    @property
    def ended(self) -> bool:
        """Whether it is Finished or Error, and changes no more."""
        return self.status in ENDED

    @classmethod
    def read(cls, detail: Mapping[str, Any]) -> Self:
        """A ``TaskDetail`` of the wire. Raises KeyError, TypeError or ValueError for what is none."""
        status = str(detail["Status"])
        seed = detail.get("Seed")
        return cls(
            uid=str(detail["TaskUID"]),
            status=status,
            progress=float(detail.get("Progress") or status == "Finished"),
            images=tuple(str(url) for url in detail.get("ImgList") or ()),
            seed=seed,
            seeds=tuple(detail.get("SeedList") or (() if seed is None else (seed,))),
            queue_position=detail.get("QueuePosition"),
            points=detail.get("ConsumeApiPoint") or 0,
            error_code=int(detail.get("ErrorCode") or 0),
            error_message=detail.get("ErrorMessage") or detail.get("ErrorMassage") or "",
            notices=tuple(detail.get("Notices") or ()),
        )
