"""The header of a safetensors file, read without trusting a word of it.

The format: eight bytes, the header's length N (little-endian); N bytes of JSON, tensor name -> dtype, shape, offsets;
then the tensors' bytes, one after the other. Source: https://github.com/huggingface/safetensors, README, "Format".
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from restyle.models.tensors import Tensors, refusal

LENGTH_BYTES = 8
MAX_HEADER_BYTES = 32 * 1024 * 1024
"""The largest ones known, of SDXL LoRAs with their whole training log, have a few MiB."""
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
"""Bytes of one number of each dtype."""


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
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(LENGTH_BYTES), "little")
        if length > min(MAX_HEADER_BYTES, size - LENGTH_BYTES):
            raise refusal(
                path,
                f"its header claims {length:,} bytes; a file of {size:,} bytes may have "
                f"{max(0, min(MAX_HEADER_BYTES, size - LENGTH_BYTES)):,}",
            )
        text = file.read(length)
    data = LENGTH_BYTES + length
    table = _parse(path, text)
    metadata = _metadata(path, table.pop("__metadata__", {}))
    if not 0 < len(table) <= MAX_TENSORS:
        raise refusal(path, f"its header names {len(table):,} tensors; it may name 1 to {MAX_TENSORS:,}")
    placed = sorted(
        ((name, _placed(path, name, entry, data)) for name, entry in table.items()), key=lambda one: one[1].start
    )
    end = data
    for name, each in placed:
        if each.start < end:
            raise refusal(path, f"the bytes of {_shown(name)} overlap those of another tensor")
        if each.start > end:
            raise refusal(path, f"{each.start - end:,} bytes before {_shown(name)} belong to no tensor")
        end = each.end
    if end != size:
        what = (
            "ends before its last tensor does; the download may be incomplete" if end > size else "has bytes left over"
        )
        raise refusal(path, f"its header describes {end:,} bytes, the file has {size:,}: it {what}")
    return Header(dict(placed), metadata, data)


def _parse(path: Path, text: bytes) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            names = [name for name, _ in pairs]
            raise refusal(path, f"its header names {_shown(next(n for n in names if names.count(n) > 1))} twice")
        return found

    try:
        table = json.loads(text.decode(), object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise refusal(path, f"its header is not JSON: {error}") from error
    if not isinstance(table, dict):
        raise refusal(path, "its header is not a JSON object")
    return table


def _metadata(path: Path, found: Any) -> dict[str, str]:
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise refusal(path, "the __metadata__ in its header is not an object of strings")
    return found


def _placed(path: Path, name: str, entry: Any, data: int) -> Placed:
    try:
        dtype, shape, (start, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
    except (TypeError, KeyError, ValueError) as error:
        raise refusal(path, f"{_shown(name)} lacks a dtype, a shape or its two data_offsets") from error
    if not isinstance(dtype, str) or dtype not in ITEM_BYTES:
        raise refusal(path, f"{_shown(name)} has the dtype {_shown(dtype)}; known are {', '.join(ITEM_BYTES)}")
    numbers = [*shape, start, end] if isinstance(shape, list) else [-1]
    if not all(type(number) is int and 0 <= number < 2**63 for number in numbers) or len(shape) > 8:
        raise refusal(path, f"{_shown(name)} has a shape or offsets that are not whole numbers from 0")
    wanted = prod(shape) * ITEM_BYTES[dtype]
    if end - start != wanted:
        raise refusal(
            path,
            f"{_shown(name)} of shape {shape} and dtype {dtype} takes {wanted:,} bytes; "
            f"its data_offsets give it {end - start:,}",
        )
    return Placed(dtype, tuple(shape), data + start, data + end)


def _shown(value: object) -> str:
    text = str(value)
    return repr(text if len(text) <= 80 else f"{text[:77]}...")
