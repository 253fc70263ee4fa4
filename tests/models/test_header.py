import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from restyle.models.header import MAX_HEADER_BYTES, read_header
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError
from tests.support.models import raw_safetensors


def test_the_header_of_a_real_file(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_file({"b": np.ones((2, 3), np.float32), "a": np.ones(4, np.float16)}, path, {"made": "here"})
    header = read_header(path)
    assert header.metadata == {"made": "here"}
    assert header.tensors().shapes == {"a": (4,), "b": (2, 3)}
    for name, count in (("a", 8), ("b", 24)):
        placed = header.placed[name]
        assert placed.end - placed.start == count
    assert max(placed.end for placed in header.placed.values()) == path.stat().st_size


def entry(dtype: Any = "F32", shape: Any = (2,), offsets: Any = (0, 8)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


@pytest.mark.parametrize(
    ("table", "data", "reason"),
    [
        ({"a": entry(), "b": entry(offsets=(4, 12))}, 12, "offset for tensor `b`"),
        ({"a": entry(), "b": entry(offsets=(0, 8))}, 8, "offset for tensor `[ab]`"),
        ({"a": entry(), "b": entry(offsets=(12, 20))}, 20, "offset for tensor `b`"),
        ({"a": entry(offsets=(8, 16))}, 16, "offset for tensor `a`"),
        ({"a": entry()}, 4, "not fully covered.*its download may be incomplete"),
        ({"a": entry()}, 9, "not fully covered"),
        ({"a": entry(shape=(3,))}, 8, "invalid shape, data type, or offset"),
        ({"a": entry(dtype="F16")}, 8, "invalid shape, data type, or offset"),
        ({"a": entry(dtype="PICKLE")}, 8, "unknown variant `PICKLE`"),
        ({"a": entry(dtype="C64", shape=(1,))}, 8, "'a' has the dtype C64; known are F64, "),
        ({"a": entry(dtype=["F32"])}, 8, "invalid type: sequence"),
        ({"a": entry(shape=(-2,))}, 8, "integer `-2`"),
        ({"a": entry(shape=(2.0,))}, 8, "floating point `2.0`"),
        ({"a": entry(shape=(True, 2))}, 8, "boolean `true`"),
        ({"a": entry(shape=(2**62, 2**62))}, 8, "overflow"),
        ({"a": entry(shape="2")}, 8, "expected a sequence"),
        ({"a": entry(offsets=(0, 2**70))}, 8, "expected usize"),
        ({"a": entry(offsets=(8, 0))}, 8, "offset for tensor `a`"),
        ({"a": entry(offsets=(0,))}, 8, "expected a tuple of size 2"),
        ({"a": {"dtype": "F32"}}, 8, "missing field `shape`"),
        ({"a": 5}, 8, "integer `5`"),
        ({"a": entry(), "__metadata__": {"x": 5}}, 8, "expected a string"),
        ({"a": entry(), "__metadata__": []}, 8, "expected a map"),
        ({}, 0, "0 tensors"),
    ],
)
def test_a_header_that_lies_is_refused_with_the_lie(tmp_path: Path, table: Any, data: int, reason: str) -> None:
    path = raw_safetensors(tmp_path / "x", json.dumps(table).encode(), bytes(data))
    with pytest.raises(RestyleError, match=reason) as caught:
        read_header(path)
    assert caught.value.code is Code.PARAMETER_NOT_AVAILABLE
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("header", "length", "reason"),
    [
        (b"{}", 2**63, "claims 9,223,372,036,854,775,808 bytes"),
        (b"{}", 3, "claims 3 bytes; in a file of this size it may have 2"),
        (b"{", None, "invalid JSON"),
        (b"\xff\xfe", None, "invalid UTF-8"),
        (b"[" * 100_000, None, "invalid JSON"),
        (b'{"a":' * 100_000, None, "invalid JSON"),
        (b"[]", None, "invalid JSON"),
        (b'{"a": {"dtype": "F32", "shape": [], "data_offsets": [0, 4]}, "a": {}}', None, "missing field"),
        (b'{"__metadata__": {}, "__metadata__": {"x": "y"}}', None, "duplicate field"),
    ],
)
def test_a_header_that_is_none(tmp_path: Path, header: bytes, length: int | None, reason: str) -> None:
    path = raw_safetensors(tmp_path / "x", header, length=length)
    with pytest.raises(RestyleError, match=reason):
        read_header(path)


def test_of_a_name_given_twice_all_readers_take_the_last(tmp_path: Path) -> None:
    """Nobody can show one tensor to the check and another to the engine: both read by the same library."""
    short, long = entry(shape=(1,), offsets=(0, 4)), entry()
    header = f'{{"a": {json.dumps(short)}, "a": {json.dumps(long)}}}'.encode()
    path = raw_safetensors(tmp_path / "x", header, bytes(8))
    assert read_header(path).tensors().shapes == {name: loaded.shape for name, loaded in load_file(path).items()}
    header = f'{{"a": {json.dumps(long)}, "a": {json.dumps(short)}}}'.encode()
    with pytest.raises(RestyleError, match="not fully covered"):
        read_header(raw_safetensors(tmp_path / "x", header, bytes(8)))


def test_a_huge_header_is_not_even_read(tmp_path: Path) -> None:
    path = raw_safetensors(tmp_path / "x", b"{}", length=MAX_HEADER_BYTES + 1)
    with path.open("r+b") as file:
        file.truncate(10 * MAX_HEADER_BYTES)  # sparse: the claim fits the file
    with pytest.raises(RestyleError, match="may have 33,554,432"):
        read_header(path)
