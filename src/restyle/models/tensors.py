"""What a model file says of its tensors, whatever its format, and how one that does not fit is refused."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Tensors:
    """``shapes`` by name. ``values`` are what else a file says: its metadata, or the plain values in a torch file."""

    shapes: Mapping[str, Shape]
    values: Mapping[str, Any] = field(default_factory=dict)

    def under(self, prefix: str) -> "Tensors":
        """Those whose name begins so, without that beginning."""
        shapes = {name[len(prefix) :]: shape for name, shape in self.shapes.items() if name.startswith(prefix)}
        return Tensors(shapes, self.values)

    def has(self, *beginnings: str) -> bool:
        """Whether a name begins with one of these."""
        return any(name.startswith(beginnings) for name in self.shapes)

    def holds(self, *pieces: str) -> bool:
        """Whether a name holds one of these."""
        return any(piece in name for name in self.shapes for piece in pieces)

    def width(self, name: str, axis: int) -> int:
        """The size of that tensor along ``axis``; 0 where there is none."""
        shape = self.shapes.get(name, ())
        return shape[axis] if axis < len(shape) else 0

    def widths(self, ends: Iterable[str]) -> set[int]:
        """The input widths (last axis) of all matrices whose name ends so."""
        tails = tuple(ends)
        return {shape[-1] for name, shape in self.shapes.items() if len(shape) == 2 and name.endswith(tails)}


def refusal(path: Path, reason: str) -> RestyleError:
    """The error (230) for a file or folder that cannot be registered."""
    return RestyleError(Code.PARAMETER_NOT_AVAILABLE, f"{path}: {reason}", field="path")
