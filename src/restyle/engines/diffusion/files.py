"""What is in a job's files. Nothing in a file is ever executed."""

from collections.abc import Callable, Hashable, Mapping
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from restyle.engines.base import File
from restyle.engines.diffusion.architecture import Architecture
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

Tensors = dict[str, torch.Tensor]


def broken(file: File, what: str) -> RestyleError:
    """The error for a file that is not what it was when it was registered, or that the libraries cannot use."""
    return RestyleError(Code.ENGINE_FAILED, f'the file of "{file.name}" cannot be used: {what}; verify or replace it')


def architecture_of(file: File) -> Architecture:
    """The architecture that ``file`` is of. Raises RestyleError (5101) where it is none that the engine knows."""
    try:
        return Architecture(file.architecture)
    except ValueError as error:
        raise broken(file, f'it is registered for the architecture "{file.architecture}"') from error


def identity(file: File) -> Hashable:
    """What decides the networks that are made of ``file``."""
    return file.sha256, file.architecture, file.facts.get("prediction_type")


def tensors(file: File, wanted: Callable[[str], bool] = lambda name: True) -> Tensors:
    """The tensors whose names are ``wanted``, on the CPU, as they are stored. Raises RestyleError (5101)."""
    if file.format == "safetensors":
        try:
            with safe_open(file.path, framework="pt", device="cpu") as opened:
                return {name: opened.get_tensor(name) for name in opened.keys() if wanted(name)}  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise broken(file, str(error)) from error
    content = unpickled(file)
    inner = content.get("state_dict", content)
    return {name: value for name, value in inner.items() if isinstance(value, torch.Tensor) and wanted(name)}


def unpickled(file: File) -> Mapping[str | int, Any]:
    """The mapping that a file of ``torch.save`` holds, read with ``weights_only``. Raises RestyleError (5101)."""
    try:
        content = torch.load(file.path, map_location="cpu", weights_only=True)
    except Exception as error:  # a hostile file may raise anything, and its words are not for clients
        raise broken(file, f"it is no file of tensors ({type(error).__name__})") from error
    if not isinstance(content, Mapping):
        raise broken(file, "it does not hold a mapping of names to tensors")
    return content


def under(prefix: str, found: Tensors) -> Tensors:
    """Those whose name begins with ``prefix``, without it."""
    return {name.removeprefix(prefix): value for name, value in found.items() if name.startswith(prefix)}
