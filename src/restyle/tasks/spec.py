"""What a worker needs to know of a task."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Spec:
    """The work of one task, kept with it as JSON.

    ``raw`` and ``style`` are storage keys, ``width`` and ``height`` the result's, in pixels;
    ``resize_mode`` is the wire's name of a :class:`restyle.images.fit.ResizeMode`; ``strength`` is 0..1.
    """

    model_code: str
    raw: str
    style: str
    width: int
    height: int
    strength: float
    resize_mode: str
    preserve_color: bool = False
    positive_prompts: tuple[str, ...] = ()
    negative_prompts: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """A dict of JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_json` wrote; JSON's lists become tuples again."""
        arguments: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return cls(**arguments)


@dataclass(frozen=True, slots=True)
class Claim:
    """One run of a task. ``claim`` names it: what an earlier run of the same task still says is not listened to."""

    uid: str
    claim: str
    seeds: tuple[int, ...]
    spec: Spec
