"""The header of a safetensors file: names, dtypes, shapes and metadata, as the library reads them.

The format: eight bytes, the header's length N (little-endian); N bytes of JSON, tensor name -> dtype, shape, offsets;
then the tensors' bytes, one after the other. Source: https://github.com/huggingface/safetensors, README, "Format".

The library refuses whatever does not keep it: overlaps, gaps, bytes left over or missing, sizes that do not follow from
dtype and shape. Here stand only the limits that it does not have, or sets higher.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from restyle.models.tensors import Tensors, refusal

LENGTH_BYTES = 8
MAX_HEADER_BYTES = 32 * 1024 * 1024
"""The largest ones known, of SDXL LoRAs with their whole training log, have a few MiB. The library reads 100 MB."""
MAX_TENSORS = 100_000
ITEM_BYTES = {
    "F64": 8,
    "F32": 4,
    "F16": 2,
    "BF16": 2,
    "F8_E4M3": 1,
    "F8_E5M2": 1,
    "I64": 8,
    "I32": 4,
    "I16": 2,
    "I8": 1,
    "U8": 1,
    "BOOL": 1,
}
"""Bytes of one number of each dtype that is drawn with; the library reads more."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A tensor: its dtype, its shape, and where its bytes are, counted from the start of the file."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Header:
    """The tensors by name, in the order of their bytes, which leave no gap from ``data`` to the end of the file."""

    placed: Mapping[str, Placed]
    metadata: Mapping[str, str]
    data: int

    def tensors(self) -> Tensors:
        """Names and shapes."""
        return Tensors({name: each.shape for name, each in self.placed.items()}, self.metadata)


def looks_like_safetensors(start: bytes) -> bool:
    """Whether a file that begins with these nine bytes can be one."""
    return len(start) > LENGTH_BYTES and start[LENGTH_BYTES : LENGTH_BYTES + 1] == b"{"


def read_header(path: Path) -> Header:
    """The header of ``path``. Raises RestyleError (230) where it does not keep the format in every point."""
    data = LENGTH_BYTES + _length(path)
    try:
        with safe_open(path, framework="numpy") as file:
            names = file.offset_keys()
            if not 0 < len(names) <= MAX_TENSORS:
                raise refusal(path, f"its header names {len(names):,} tensors; it may name 1 to {MAX_TENSORS:,}")
            metadata = file.metadata() or {}
            placed, end = {}, data
            for name in names:
                placed[name] = _placed(path, name, file.get_slice(name), end)
                end = placed[name].end
    except SafetensorError as error:
        reason = " ".join(str(error).removeprefix("Error while deserializing header: ").split())
        raise refusal(
            path, f"not a whole safetensors file ({reason[:200]}): its download may be incomplete, or it is damaged"
        ) from error
    return Header(placed, metadata, data)


def _length(path: Path) -> int:
    """What the file says of its header's length, before any of it is read."""
    most = max(0, min(MAX_HEADER_BYTES, path.stat().st_size - LENGTH_BYTES))
    with path.open("rb") as file:
        length = int.from_bytes(file.read(LENGTH_BYTES), "little")
    if length > most:
        raise refusal(path, f"its header claims {length:,} bytes; in a file of this size it may have {most:,}")
    return length


def _placed(path: Path, name: str, tensor: Any, start: int) -> Placed:
    """The library found no gap, so each tensor begins where the one before ends."""
    dtype, shape = tensor.get_dtype(), tuple(tensor.get_shape())
    if dtype not in ITEM_BYTES:
        shown = repr(name if len(name) <= 80 else f"{name[:77]}...")
        raise refusal(path, f"{shown} has the dtype {dtype}; known are {', '.join(ITEM_BYTES)}")
    return Placed(dtype, shape, start, start + prod(shape) * ITEM_BYTES[dtype])
