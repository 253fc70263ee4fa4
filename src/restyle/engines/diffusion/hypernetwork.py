"""Hypernetworks: small networks before the keys and values of attention, as the Stable Diffusion WebUI trains them.

A file holds, for each width of attention input it has networks for, one for keys and one for values: ``x + strength *
net(x)``. Layers are placed by the index in their names and the shapes of their tensors, since what else stands between
them (dropout) does nothing here but takes an index.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from restyle.engines.base import File
from restyle.engines.diffusion.files import broken, unpickled

ACTIVATIONS: Mapping[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leakyrelu": nn.LeakyReLU,
    "elu": nn.ELU,
    "swish": nn.Hardswish,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "softsign": nn.Softsign,
    "mish": nn.Mish,
    "silu": nn.SiLU,
    "gelu": nn.GELU,
    "softplus": nn.Softplus,
    "hardswish": nn.Hardswish,
    "hardsigmoid": nn.Hardsigmoid,
    "hardtanh": nn.Hardtanh,
    "relu6": nn.ReLU6,
    "selu": nn.SELU,
    "celu": nn.CELU,
    "logsigmoid": nn.LogSigmoid,
    "tanhshrink": nn.Tanhshrink,
    "softshrink": nn.Softshrink,
    "hardshrink": nn.Hardshrink,
}
"""By the lower-case names in files; that program's swish is Hardswish."""
OLD_NAMES = {"linear1": "linear.0", "linear2": "linear.1"}


@dataclass(frozen=True, eq=False, slots=True)
class Hypernetwork:
    """``parts`` holds the networks for keys and for values by the width of their input."""

    parts: Mapping[int, tuple[nn.Module, nn.Module]]

    def place(self, device: str, dtype: torch.dtype) -> None:
        """Move all networks."""
        for pair in self.parts.values():
            for network in pair:
                network.to(device, dtype)

    def size(self) -> int:
        """Bytes of the weights."""
        return sum(
            weight.numel() * weight.element_size()
            for pair in self.parts.values()
            for network in pair
            for weight in network.parameters()
        )


def load(file: File) -> Hypernetwork:
    """The hypernetwork of ``file``. Raises RestyleError (5101) for files of another form."""
    content = unpickled(file)
    parts: dict[int, tuple[nn.Module, nn.Module]] = {}
    for width, pair in content.items():
        if not isinstance(width, int):
            continue
        if not isinstance(pair, list | tuple) or len(pair) < 2:
            raise broken(file, f"width {width} has no pair of networks")
        try:
            key, value = (_network(state, content) for state in pair[:2])
        except (KeyError, ValueError, TypeError, AttributeError, IndexError) as error:
            raise broken(file, f"width {width}: {error}") from error
        parts[width] = (key, value)
    if not parts:
        raise broken(file, "it has networks for no width")
    return Hypernetwork(parts)


def _network(state: Mapping[str, torch.Tensor], content: Mapping[Any, Any]) -> nn.Sequential:
    """One network; ``content`` is the whole file, with the settings that are not tensors."""
    name = str(content.get("activation_func") or "linear").lower()
    if name not in ACTIVATIONS and name not in ("linear", "none"):
        raise ValueError(f"the activation {name} is not known")
    layers = _layers(state)
    linear = [index for index, layer in enumerate(layers) if isinstance(layer, nn.Linear)]
    # written by files since 2022-10; that program takes those without it for activated at the end as well
    activates_last = bool(content.get("activate_output", True))
    modules: list[nn.Module] = []
    for index, layer in enumerate(layers):
        modules.append(layer)
        if index in linear and name in ACTIVATIONS and (index != linear[-1] or activates_last):
            modules.append(ACTIVATIONS[name]())
    return nn.Sequential(*modules).eval().requires_grad_(False)


def _layers(state: Mapping[str, torch.Tensor]) -> list[nn.Module]:
    tensors: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in state.items():
        stem, kind = name.rsplit(".", 1)
        index = int(OLD_NAMES.get(stem, stem).rsplit(".", 1)[1])
        tensors.setdefault(index, {})[kind] = tensor.float()
    layers: list[nn.Module] = []
    for _, pair in sorted(tensors.items()):
        weight, bias = pair["weight"], pair["bias"]
        layer = nn.Linear(weight.shape[1], weight.shape[0]) if weight.ndim == 2 else nn.LayerNorm(weight.shape[0])
        layer.load_state_dict({"weight": weight, "bias": bias})
        layers.append(layer)
    return layers


@contextmanager
def attached(unet: nn.Module, networks: Sequence[tuple[Hypernetwork, float]]) -> Iterator[None]:
    """Apply ``networks`` with their strengths, in order, to all attention of ``unet`` inside the block.

    To be attached after LoRAs, which wrap the layers that this listens to. Strength 0 is not applied at all.
    """
    hooks = []
    for name, attention in unet.named_modules():
        if not name.endswith(("attn1", "attn2")):
            continue
        for part, index in (("to_k", 0), ("to_v", 1)):
            linear: Any = getattr(attention, part)
            chain = [
                (network.parts[linear.in_features][index], strength)
                for network, strength in networks
                if strength != 0 and linear.in_features in network.parts
            ]
            if chain:
                hooks.append(linear.register_forward_pre_hook(_applied(chain)))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _applied(chain: Sequence[tuple[nn.Module, float]]) -> Any:
    def hook(module: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
        states = given[0]
        for network, strength in chain:
            states = states + strength * network(states)
        return (states, *given[1:])

    return hook
