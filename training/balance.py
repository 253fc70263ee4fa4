"""How much each term of the loss pulls on the drawn picture."""

import torch
from torch import Tensor

LEAST, MOST = 1e-3, 1e3
EVERY = 10
MEMORY = 0.8


class Balance:
    """Weights under which each term pulls on the picture with its share, as long as they are measured.

    A term pulls with the norm of its gradient by the pixels; only shares have to be chosen, whatever the terms' scales.
    """

    def __init__(self, shares: dict[str, float], until: int, weights: dict[str, float] | None = None) -> None:
        self.shares, self.until = shares, until
        self.weights = dict.fromkeys(shares, 1.0) | (weights or {})
        self._known = set(weights or ())

    def measure(self, terms: dict[str, Tensor], out: Tensor, step: int) -> None:
        """Look at the pulls of this step, where it is one of those that are looked at."""
        if step >= self.until or step % EVERY:
            return
        pulls = {
            name: float(torch.autograd.grad(term, out, retain_graph=True)[0].norm())
            for name, term in terms.items()
            if term.requires_grad  # a batch may have none that is its own reference
        }
        unit = pulls["content"] / self.shares["content"]
        for name, pull in pulls.items():
            wanted = min(max(self.shares[name] * unit / max(pull, 1e-12), LEAST), MOST)
            self.weights[name] = (
                self.weights[name] ** MEMORY * wanted ** (1 - MEMORY) if name in self._known else wanted
            )
            self._known.add(name)

    def total(self, terms: dict[str, Tensor]) -> Tensor:
        """The weighted sum."""
        return torch.stack([self.weights[name] * term for name, term in terms.items()]).sum()
