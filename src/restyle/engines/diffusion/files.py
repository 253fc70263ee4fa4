"""What is in a job's files. Nothing in a file is ever executed."""

import json
from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from restyle.engines.base import File
from restyle.engines.diffusion.architecture import Architecture
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

Tensors = dict[str, torch.Tensor]

FORMS = {
    ".safetensors": ("diffusion_pytorch_model", "model"),
    ".bin": ("diffusion_pytorch_model", "pytorch_model"),
}
"""How weights are called in a folder of diffusers or transformers, by their form."""
DTYPES = {"F8_E4M3": torch.float8_e4m3fn, "F8_E5M2": torch.float8_e5m2}
"""Types whose arithmetic differs, by their names in safetensors; without numbers all others are alike."""
SCALES = (".scale_weight", ".weight_scale")
BESIDE = (*SCALES, ".scale_input", ".input_scale", ".comfy_quant", "scaled_fp8")
"""Ends of the names that stand beside weights of eight bits."""


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
    """What decides the networks that are made of ``file``, and what is predicted with them."""
    facts = ("prediction_type", "zero_snr", "scaling_factor")
    base = identity(file.base) if file.base else None
    return file.sha256, file.architecture, base, *(file.facts.get(fact) for fact in facts)


def tensors(file: File, wanted: Callable[[str], bool] = lambda name: True, source: str = "cpu") -> Tensors:
    """The tensors whose names are ``wanted``, as they are stored: on the CPU, or without numbers, on ``meta``.

    Raises RestyleError (5101).
    """
    if file.format == "safetensors":
        try:
            with safe_open(file.path, framework="pt", device="cpu") as opened:
                names = [name for name in opened.keys() if wanted(name)]  # noqa: SIM118
                if source == "meta":
                    return {name: _empty(opened.get_slice(name)) for name in names}
                return {name: opened.get_tensor(name) for name in names}
        except (OSError, SafetensorError) as error:
            raise broken(file, str(error)) from error
    content = unpickled(file, source)
    inner = content.get("state_dict", content)
    return {name: value for name, value in inner.items() if isinstance(value, torch.Tensor) and wanted(name)}


def metadata(file: File) -> Mapping[str, str]:
    """What a safetensors file says beside its tensors; nothing for other files. Raises RestyleError (5101)."""
    if file.format != "safetensors":
        return {}
    try:
        with safe_open(file.path, framework="pt", device="cpu") as opened:
            return opened.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise broken(file, str(error)) from error


def _empty(stored: Any) -> torch.Tensor:
    dtype = DTYPES.get(stored.get_dtype(), torch.float32)
    return torch.empty(stored.get_shape(), dtype=dtype, device="meta")


def unpickled(file: File, source: str = "cpu") -> Mapping[str | int, Any]:
    """The mapping that a file of ``torch.save`` holds, read with ``weights_only``. Raises RestyleError (5101)."""
    try:
        content = torch.load(file.path, map_location=source, weights_only=True)
    except Exception as error:  # a hostile file may raise anything, and its words are not for clients
        raise broken(file, f"it is no file of tensors ({type(error).__name__})") from error
    if not isinstance(content, Mapping):
        raise broken(file, "it does not hold a mapping of names to tensors")
    return content


def weights_in(file: File, part: str, source: str) -> Tensors:
    """The tensors of a part of a folder in diffusers' form, or of the folder itself where ``part`` is empty.

    Safetensors files go before ``.bin``, the variant of the file's facts before none. Raises RestyleError (5101).
    """
    folder, variant = file.path / part, file.facts.get("variant", "")
    endings = [f".{variant}", ""] if variant else [""]
    for form, stems in FORMS.items():
        for ending in endings:
            for stem in stems:
                if (folder / f"{stem}{ending}{form}").is_file():
                    return tensors(_one(file, folder / f"{stem}{ending}{form}"), source=source)
                index = folder / f"{stem}{form}.index{ending}.json"
                if index.is_file():
                    shards = sorted(set(json.loads(index.read_text())["weight_map"].values()))
                    read = [tensors(_one(file, folder / shard), source=source) for shard in shards]
                    return {name: value for shard in read for name, value in shard.items()}
    raise broken(file, f"{part or 'the folder'} has no weights")


def _one(file: File, path: Path) -> File:
    return replace(file, path=path, format="pt" if path.suffix == ".bin" else "safetensors")


def unscaled(found: Tensors) -> Tensors:
    """Weights of eight bits times the scales that stand beside them (``scaled_fp8``); others as they are."""
    scales = {
        name.removesuffix(ending): value for ending in SCALES for name, value in found.items() if name.endswith(ending)
    }
    if not scales:
        return found
    result = {}
    for name, value in found.items():
        scale = scales.get(name.removesuffix(".weight")) if name.endswith(".weight") else None
        if scale is not None:
            result[name] = value.float() * scale.float().reshape(-1, *[1] * (value.ndim - 1))
        elif not name.endswith(BESIDE):
            result[name] = value
    return result


def under(prefix: str, found: Tensors) -> Tensors:
    """Those whose name begins with ``prefix``, without it."""
    return {name.removeprefix(prefix): value for name, value in found.items() if name.startswith(prefix)}
