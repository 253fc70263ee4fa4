"""What a run leaves behind, and how another goes on from it.

Two kinds, each written whole or not at all: ``best.pt``, the averaged weights in half precision, small enough to carry
anywhere; and ``state.pt``, everything that the next step needs, in full precision.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from training.network import Brush

Weights = dict[str, Tensor]


@dataclass(slots=True)
class Checkpoint:
    """``average`` are the weights that are kept, ``weights`` those under way (None in a small one)."""

    channels: dict[str, int]
    width: int
    key: int
    scales: list[float]
    average: Weights
    step: int = 0
    elapsed: float = 0.0
    score: float = float("inf")
    balance: dict[str, float] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    weights: Weights | None = None
    optimiser: dict[str, Any] | None = None

    def network(self) -> Brush:
        """The brush with the averaged weights."""
        network = Brush(self.channels, self.width, self.key)
        network.load_state_dict({name: value.float() for name, value in self.average.items()})
        return network.eval()

    def small(self) -> "Checkpoint":
        """Without what only the next step needs, in half precision."""
        half = {name: value.detach().half().cpu() for name, value in self.average.items()}
        return Checkpoint(
            self.channels,
            self.width,
            self.key,
            self.scales,
            half,
            self.step,
            self.elapsed,
            self.score,
            self.balance,
            self.recipe,
        )

    def write(self, path: Path) -> None:
        """Put it at ``path`` in one step."""
        part = path.with_name(f"{path.name}.part")
        torch.save({name: getattr(self, name) for name in self.__slots__}, part)
        os.replace(part, path)


def read(path: Path) -> Checkpoint:
    """What :meth:`Checkpoint.write` wrote, on the CPU. Raises ValueError where it is something else."""
    found = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(found, dict) or set(found) != set(Checkpoint.__slots__):
        raise ValueError(f"{path} is not a checkpoint of the brush")
    return Checkpoint(**found)
