"""What a worker needs to know of a task."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from restyle.engines.base import Adapter, Feature, Inference


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
    translate_prompts: bool = True
    inference: Inference = field(default_factory=Inference)
    adapters: tuple[Adapter, ...] = ()
    main_model_vae: bool = False

    def to_json(self) -> dict[str, Any]:
        """A dict of JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_json` wrote; JSON's lists become tuples again."""
        arguments: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        if "inference" in arguments:
            arguments["inference"] = Inference(**arguments["inference"])
        arguments["adapters"] = tuple(
            Adapter(adapter["code"], Feature(adapter["kind"]), adapter["weight"])
            for adapter in arguments.get("adapters", ())
        )
        return cls(**arguments)
