"""How weights follow their gradients: Muon for the kernels that draw, Adam for everything else.

Muon makes every step of a kernel orthogonal, so that no direction lags behind. Jordan, Jin, Boza, You, Cesista,
Newhouse, Bernstein, Muon: An Optimizer for Hidden Layers in Neural Networks (2024); step lengths that match Adam's:
Liu, Su et al., Muon is Scalable for LLM Training (2025).
"""

from typing import Any

from torch import Tensor
from torch.nn import Parameter
from torch.optim import Adam, Muon, Optimizer

from training.network import Brush

BETAS = (0.9, 0.99)
MOMENTUM = 0.95


class Optimiser:
    """Of the network where it lies: it must be on its device, with channels last, before.

    ``rate`` is Adam's, ``kernel_rate`` Muon's, in the same unit; ``fused`` is faster on a GPU.
    """

    def __init__(self, network: Brush, rate: float, kernel_rate: float, *, fused: bool) -> None:
        self._rates = (rate, kernel_rate)
        self._kernels = network.kernels()
        # Muon knows matrices only: the same memory, an output channel a row.
        self._matrices = [Parameter(_rows(kernel.detach()).view(len(kernel), -1)) for kernel in self._kernels]
        apart = {id(kernel) for kernel in self._kernels}
        others = [each for each in network.parameters() if id(each) not in apart]
        self._adam = Adam(others, rate, betas=BETAS, fused=fused)
        self._muon: Optimizer = Muon(
            self._matrices, kernel_rate, weight_decay=0, momentum=MOMENTUM, adjust_lr_fn="match_rms_adamw"
        )

    def step(self, share: float) -> None:
        """Follow the gradients that the network's parameters have, at ``share``, 0..1, of the rates."""
        for optimiser, rate in zip((self._adam, self._muon), self._rates, strict=True):
            for group in optimiser.param_groups:
                group["lr"] = rate * share
        for matrix, kernel in zip(self._matrices, self._kernels, strict=True):
            matrix.grad = None if kernel.grad is None else _rows(kernel.grad).reshape(matrix.shape)
        self._adam.step()
        self._muon.step()

    def state_dict(self) -> dict[str, Any]:
        """What the next step needs."""
        return {"adam": self._adam.state_dict(), "muon": self._muon.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what :meth:`state_dict` gave."""
        self._adam.load_state_dict(state["adam"])
        self._muon.load_state_dict(state["muon"])


def _rows(kernel: Tensor) -> Tensor:
    """(outputs, inputs, k, k) with the inputs last, as it lies in memory."""
    return kernel.permute(0, 2, 3, 1)
