"""Tensors from registered files. Nothing in a file is ever executed."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from restyle.models.catalogue import Entry
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

Tensors = dict[str, torch.Tensor]


def broken(entry: Entry, what: str) -> RestyleError:
    """The error for a file that is not what it was when it was registered, or that the libraries cannot use."""
    return RestyleError(Code.ENGINE_FAILED, f'the file of "{entry.code}" cannot be used: {what}; verify or replace it')


def tensors(entry: Entry, wanted: Callable[[str], bool] = lambda name: True) -> Tensors:
    """The tensors whose names are ``wanted``, on the CPU, as they are stored. Raises RestyleError (5101)."""
    if entry.format == "safetensors":
        try:
            with safe_open(entry.path, framework="pt", device="cpu") as file:
                return {name: file.get_tensor(name) for name in file.keys() if wanted(name)}  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise broken(entry, str(error)) from error
    content = unpickled(entry)
    inner = content.get("state_dict", content)
    return {name: value for name, value in inner.items() if isinstance(value, torch.Tensor) and wanted(name)}


def unpickled(entry: Entry) -> Mapping[str | int, Any]:
    """The mapping that a file of ``torch.save`` holds, read with ``weights_only``. Raises RestyleError (5101)."""
    try:
        content = torch.load(entry.path, map_location="cpu", weights_only=True)
    except Exception as error:  # a hostile file may raise anything, and its words are not for clients
        raise broken(entry, f"it is no file of tensors ({type(error).__name__})") from error
    if not isinstance(content, Mapping):
        raise broken(entry, "it does not hold a mapping of names to tensors")
    return content


def under(prefix: str, found: Tensors) -> Tensors:
    """Those whose name begins with ``prefix``, without it."""
    return {name.removeprefix(prefix): value for name, value in found.items() if name.startswith(prefix)}
