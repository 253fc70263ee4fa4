"""The mathematics of LoRA and its relatives: from the tensors of a change to what it does to a layer.

LoRA: Hu et al. 2021. LoCon, LoHa, LoKr and whole differences: LyCORIS (Yeh et al. 2023). DoRA: Liu et al. 2024.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from restyle.engines.diffusion.lora.file import Change

TINY = 1e-12


@dataclass(eq=False, slots=True)
class LowRank:
    """``down``, then ``up``, beside a layer that is left as it is."""

    change: Change
    down: torch.Tensor
    up: torch.Tensor
    up_bias: torch.Tensor | None

    def factor(self, weight: float) -> float:
        """What its output is multiplied with under that weight."""
        return self.change.scale(self.down.shape[0], weight)

    def __call__(self, layer: Any, given: torch.Tensor) -> torch.Tensor:
        """What is added to the output of ``layer``, but for the factor."""
        if self.down.device != given.device:
            self.to(given.device)
        if self.down.ndim == 2:
            return functional.linear(functional.linear(given, self.down), self.up, self.up_bias)
        narrow = functional.conv2d(given, self.down, None, layer.stride, layer.padding, layer.dilation)
        return functional.conv2d(narrow, self.up, self.up_bias)

    def held(self) -> tuple[torch.Tensor, ...]:
        """Its tensors."""
        return (self.down, self.up, *(() if self.up_bias is None else (self.up_bias,)))

    def to(self, device: torch.device) -> None:
        """Move its tensors."""
        self.down, self.up = self.down.to(device), self.up.to(device)
        self.up_bias = None if self.up_bias is None else self.up_bias.to(device)


def low_rank(change: Change, layer: torch.nn.Module) -> LowRank | None:
    """``change`` as two small layers beside ``layer``; None where it is of another form, or for a layer of another.

    A convolution of size 1 stands for a linear layer, and the other way round.
    """
    found = change.tensors
    if not {"down", "up"} <= found.keys() <= {"down", "up", "up_bias"}:
        return None
    down, up, weight = found["down"], found["up"], _weight(layer)
    if isinstance(layer, torch.nn.Linear):
        down, up = (_squeezed(each) for each in (down, up))
    elif isinstance(layer, torch.nn.Conv2d):
        down, up = (each if each.ndim == 4 else each[:, :, None, None] for each in (down, up))
    else:
        return None
    fits = down.ndim == up.ndim == weight.ndim and down.shape[1:] == weight.shape[1:]
    if not fits or up.shape[:2] != (weight.shape[0], down.shape[0]) or up[0, 0].numel() != 1:
        return None
    bias = found.get("up_bias")
    tensors = [_fresh(each, weight) for each in (down, up, *(() if bias is None else (bias,)))]
    return LowRank(
        Change({}, change.alpha, change.root), tensors[0], tensors[1], tensors[2] if bias is not None else None
    )


def differences(change: Change, weight: torch.Tensor, bias: torch.Tensor | None) -> dict[str, torch.Tensor]:
    """What ``change`` adds at weight 1 to a layer's ``weight`` and ``bias``: float32, of their shapes.

    Raises ValueError for tensors of another shape, KeyError where some are missing.
    """
    result = {}
    weight = weight.detach().float()
    found = {name: tensor.to(weight.device, torch.float32) for name, tensor in change.tensors.items()}
    factors, whole = _product(found, change), found.get("weight")
    if factors is None:
        factors, whole = whole, None
    if factors is not None:
        added = _shaped(factors, weight.shape)
        if "magnitude" in found:
            added = _magnified(weight, added, found["magnitude"]) - weight
        # a file may hold both for one part, and both act
        result["weight"] = added if whole is None else added + _shaped(whole, weight.shape)
    for name, scale in (("bias", 1.0), ("up_bias", change.scale(len(found.get("down", ())) or 1))):
        if name in found:
            if bias is None:
                raise ValueError("it changes the bias of a layer that has none")
            added = _shaped(found[name] * scale, bias.shape)
            result["bias"] = result["bias"] + added if "bias" in result else added
    return result


def _product(found: Mapping[str, torch.Tensor], change: Change) -> torch.Tensor | None:
    """The matrix that the file's factors make, in whatever shape it has; None where the file has no factors."""
    if "up" in found or "down" in found:
        up, down = found["up"], found["down"]
        scale = change.scale(down.shape[0])
        if "mid" in found:
            return scale * torch.einsum("nmkl,in,mj->ijkl", found["mid"], up.flatten(1), down.flatten(1))
        return scale * (up.flatten(1) @ down.flatten(1)).reshape(up.shape[0], *down.shape[1:])
    if "hada_w1_a" in found:
        first, second = (_pair(found, f"hada_w{index}", f"hada_t{index}") for index in (1, 2))
        return change.scale(found["hada_w1_b"].shape[0]) * first * second
    if any(name.startswith("lokr_") for name in found):
        return _kronecker(found, change)
    return None


def _pair(found: Mapping[str, torch.Tensor], stem: str, core: str) -> torch.Tensor:
    """The product of two factors, around a core where there is one (Tucker decomposition)."""
    left, right = found[f"{stem}_a"], found[f"{stem}_b"]
    if core in found:
        return torch.einsum("ijkl,jr,ip->prkl", found[core], right, left)
    return left @ right.flatten(1)


def _kronecker(found: Mapping[str, torch.Tensor], change: Change) -> torch.Tensor:
    ranks = [found[f"lokr_w{index}_b"].shape[0] for index in (1, 2) if f"lokr_w{index}_b" in found]
    first = found["lokr_w1"] if "lokr_w1" in found else _pair(found, "lokr_w1", "")
    second = found["lokr_w2"] if "lokr_w2" in found else _pair(found, "lokr_w2", "lokr_t2")
    if second.ndim == 4:
        first = first.reshape(*first.shape[:2], 1, 1)
    # neither factor taken apart: such files keep a rank in alpha that nothing is divided by
    scale = change.scale(ranks[-1]) if ranks else 1.0
    return scale * torch.kron(first, second.contiguous())


def _magnified(weight: torch.Tensor, added: torch.Tensor, magnitude: torch.Tensor) -> torch.Tensor:
    """The changed matrix with the lengths of its rows, or of its columns, set to ``magnitude``."""
    directed = weight + added
    by_input = magnitude.ndim > 1 and magnitude.shape[0] == 1 and magnitude.numel() == weight.shape[1]
    kept = 1 if by_input else 0
    if magnitude.numel() != weight.shape[kept]:
        raise ValueError(f"its magnitudes are {tuple(magnitude.shape)} for a layer of {tuple(weight.shape)}")
    others = [axis for axis in range(weight.ndim) if axis != kept]
    lengths = torch.linalg.vector_norm(directed, dim=others, keepdim=True)
    turned: torch.Tensor = directed * (magnitude.reshape(lengths.shape) / (lengths + TINY))
    return turned


def _shaped(found: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """``found`` in that shape, where both are the same but for how a kernel is written."""
    if found.numel() != shape.numel() or (found.ndim > 1 and found.shape[0] != shape[0]):
        raise ValueError(f"it is {tuple(found.shape)} for a layer of {tuple(shape)}")
    return found.reshape(shape)


def _weight(layer: torch.nn.Module) -> torch.Tensor:
    weight: torch.Tensor = layer.weight  # type: ignore[assignment]
    return weight


def _squeezed(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.flatten(1) if tensor.ndim == 4 and tensor.shape[2:] == (1, 1) else tensor


def _fresh(tensor: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """A copy on the device and in the type of ``like``, in memory that begins where processors are fastest."""
    made = torch.empty(tensor.shape, dtype=like.dtype, device=like.device)
    return made.copy_(tensor)
