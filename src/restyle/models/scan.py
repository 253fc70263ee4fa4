"""Reads a model whole, once: its SHA-256, and whether every number in it is one."""

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from restyle.models.files.verify import CHUNK_BYTES, Advance, digest
from restyle.models.folder import read_folder
from restyle.models.header import Header, Placed, looks_like_safetensors, read_header
from restyle.models.tensors import refusal
from restyle.models.torchfile import looks_like_torch, read_tensors

SPECIAL: dict[str, tuple[type[np.unsignedinteger[Any]], int]] = {
    "F64": (np.uint64, 0x7FF0_0000_0000_0000),
    "F32": (np.uint32, 0x7F80_0000),
    "F16": (np.uint16, 0x7C00),
    "BF16": (np.uint16, 0x7F80),
    "F8_E5M2": (np.uint8, 0x7C),
    "F8_E4M3": (np.uint8, 0x7F),
}
"""dtype -> its bits as integers, and the bits that are all set in an infinity and in what is not a number (IEEE 754).

E4M3 has no infinity and one such pattern of each sign (Micikevicius et al., "FP8 Formats for Deep Learning", 2022).
"""


@dataclass(frozen=True, slots=True)
class Scanned:
    """``sha256`` of a file is of its bytes; of a folder, of one line ``<sha256>  <relative path>`` per file read."""

    sha256: str
    size: int


SCHEDULE = re.compile(
    r"(betas|logvar|lvlb_weights|alphas_cumprod(_prev)?|sqrt_\w+|log_one_minus_alphas_cumprod|posterior_\w+"
    r"|denoiser\.sigmas|model_sampling\.\w+)"
)
"""Names of what training scripts keep of a noise schedule. Nothing reads it, and infinities belong there."""


def files_of(path: Path) -> list[Path]:
    """The files that are read of a model: itself, or those of a folder. Raises RestyleError (230)."""
    return [path / name for name in read_folder(path).files] if path.is_dir() else [path]


def size_of(path: Path) -> int:
    """Bytes of the files that are read of a model. Raises RestyleError (230) and OSError."""
    return sum(file.stat().st_size for file in files_of(path))


def scan(path: Path, advance: Advance = lambda count: None) -> Scanned:
    """Hash and check every file of a model. Raises RestyleError (230) for a weight that is infinite or not a number."""
    if not path.is_dir():
        return Scanned(_scan_file(path, advance), path.stat().st_size)
    names = read_folder(path).files
    lines = [f"{_scan_file(path / name, advance)}  {name}\n" for name in names]
    return Scanned(
        hashlib.sha256("".join(lines).encode()).hexdigest(), sum((path / name).stat().st_size for name in names)
    )


def _scan_file(path: Path, advance: Advance) -> str:
    with path.open("rb") as file:
        start = file.read(9)
    if looks_like_safetensors(start) and path.suffix not in (".json", ".txt"):
        return _scan_safetensors(path, read_header(path), advance)
    if looks_like_torch(start):
        _check_torch(path)
    return digest(path, advance)


def _scan_safetensors(path: Path, header: Header, advance: Advance) -> str:
    hashed = hashlib.sha256()
    with path.open("rb") as file:
        hashed.update(file.read(header.data))
        advance(header.data)
        for name, placed in header.placed.items():
            for chunk in _chunks(path, file.read, placed):
                hashed.update(chunk)
                advance(len(chunk))
                if not finite(chunk, placed.dtype) and not SCHEDULE.fullmatch(name):
                    raise refusal(path, f"{name[:80]!r} holds a number that is infinite or none (NaN)")
    return hashed.hexdigest()


def _chunks(path: Path, read: Callable[[int], bytes], placed: Placed) -> Iterator[bytes]:
    left = placed.end - placed.start
    while left:
        chunk = read(min(left, CHUNK_BYTES))
        if len(chunk) != min(left, CHUNK_BYTES):
            raise refusal(path, "it became shorter while it was read")
        yield chunk
        left -= len(chunk)


def finite(data: bytes, dtype: str) -> bool:
    """Whether all numbers in ``data``, of a dtype of safetensors, little-endian, are finite; integers always are."""
    if dtype not in SPECIAL:
        return True
    kind, mask = SPECIAL[dtype]
    bits: npt.NDArray[Any] = np.frombuffer(data, np.dtype(kind).newbyteorder("<"))
    return not bool(((bits & kind(mask)) == kind(mask)).any())


def _check_torch(path: Path) -> None:
    import torch

    for name, tensor in read_tensors(path)[1].items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()) and not SCHEDULE.fullmatch(name):
            raise refusal(path, f"{name[:80]!r} holds a number that is infinite or none (NaN)")
