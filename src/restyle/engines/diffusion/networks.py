"""Networks made from the tensors of a folder or of a file, checked to be whole."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from accelerate import init_empty_weights
from diffusers import ModelMixin
from transformers.initialization import no_init_weights

from restyle.engines.base import File
from restyle.engines.diffusion.device import Device
from restyle.engines.diffusion.files import Tensors, broken, weights_in

ALIGNMENT = 64
"""Bytes at whose multiples PyTorch lets its own tensors begin."""
OLD_ATTENTION = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}


def size(network: torch.nn.Module) -> int:
    """Bytes of a network's weights."""
    return sum(weight.numel() * weight.element_size() for weight in network.parameters())


def prepared(network: torch.nn.Module, file: File, device: Device) -> None:
    """Check that a network is whole, and put it where it waits. Raises RestyleError (5101)."""
    missing = [name for name, weight in network.named_parameters() if weight.device.type == "meta"]
    if missing and device.name != "meta":
        raise broken(file, f"tensors are missing, {missing[0]} among them")
    network.requires_grad_(False)
    network.eval()
    device.place(network)
    align(network)


def align(network: torch.nn.Module) -> None:
    """Copy weights that do not begin at a multiple of ALIGNMENT bytes to where they do; those on a GPU always do.

    A file's own are mapped into memory where they lie in it, and processors' fastest arithmetic rounds by where numbers
    begin: one checkpoint as a file and as a folder drew a level apart, and on some processors only.
    """
    for weight in (*network.parameters(), *network.buffers()):
        if weight.device.type == "cpu" and (weight.data_ptr() % ALIGNMENT or not weight.is_contiguous()):
            weight.data = torch.empty_like(weight, memory_format=torch.contiguous_format).copy_(weight)


def from_folder(kind: type[Any], file: File, part: str, *, dtype: torch.dtype, source: str) -> Any:
    """A network out of a folder in diffusers' form. Raises RestyleError (5101) where it is not whole."""
    folder = file.path / part
    try:
        with unfilled():
            if issubclass(kind, ModelMixin):
                network = kind.from_config(kind.load_config(folder, local_files_only=True))
            else:
                network = kind(kind.config_class.from_pretrained(folder, local_files_only=True))
        state = {renamed(name): value for name, value in weights_in(file, part, source).items()}
        fill(network, state if issubclass(kind, ModelMixin) else own_names(network, state), dtype)
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        raise broken(file, f"{part or 'the folder'} does not load: {error}") from error
    return network


def built(
    kind: type[Any],
    configure: Callable[[], dict[str, Any]],
    convert: Callable[[Mapping[str, Any]], Tensors],
    file: File,
    dtype: torch.dtype,
) -> Any:
    """A network of diffusers, its configuration and its tensors made from those of a single file.

    Raises RestyleError (5101) where either does not come out.
    """
    try:
        config = configure()
        with unfilled():
            network = kind(**config)
        fill(network, convert(network.config), dtype)
    except (KeyError, IndexError, RuntimeError, ValueError) as error:
        raise broken(file, f"its {kind.__name__} has another form: {error}") from error
    return network


@contextmanager
def unfilled() -> Iterator[None]:
    """Networks that are made inside have weights without numbers: none are drawn only to be loaded over.

    Drawing them takes no memory, but on a device without numbers it is done in Python: most of the time that a text
    encoder took to be made, and half of a UNet's.
    """
    with no_init_weights(), init_empty_weights(include_buffers=False):
        yield


def fill(network: torch.nn.Module, state: Tensors, dtype: torch.dtype) -> None:
    """Give a network without weights its tensors; raises RuntimeError unless they are exactly those it has."""
    network.load_state_dict(
        {name: torch.nn.Parameter(value.to(dtype), requires_grad=False) for name, value in state.items()},
        strict=True,
        assign=True,
    )


def own_names(network: torch.nn.Module, state: Tensors) -> Tensors:
    """A CLIP's tensors by the names that ``network`` has for them; what means nothing to it is left out."""
    inner = "text_model." if any(name.startswith("text_model.") for name, _ in network.named_parameters()) else ""
    wanted = {name for name, _ in network.named_parameters()}
    named = {
        (
            name
            if "projection" in name or name.startswith("vision_model.")
            else inner + name.removeprefix("text_model.")
        ): value
        for name, value in state.items()
    }
    return {name: value for name, value in named.items() if name in wanted}


def renamed(name: str) -> str:
    """Diffusers' names of a VAE's attention as they are since its version 0.15."""
    for old, new in OLD_ATTENTION.items():
        name = name.replace(f"attentions.0.{old}.", f"attentions.0.{new}.")
    return name
