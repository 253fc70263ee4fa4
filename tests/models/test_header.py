import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from restyle.models.header import MAX_HEADER_BYTES, read_header
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
        ({"a": entry(), "b": entry(offsets=(4, 12))}, 12, "'b' overlap"),
        ({"a": entry(), "b": entry(offsets=(0, 8))}, 8, "overlap"),
        ({"a": entry(), "b": entry(offsets=(12, 20))}, 20, "4 bytes before 'b' belong to no tensor"),
        ({"a": entry(offsets=(8, 16))}, 16, "8 bytes before 'a'"),
        ({"a": entry()}, 4, "download may be incomplete"),
        ({"a": entry()}, 9, "bytes left over"),
        ({"a": entry(shape=(3,))}, 8, "takes 12 bytes; its data_offsets give it 8"),
        ({"a": entry(dtype="F16")}, 8, "takes 4 bytes"),
        ({"a": entry(dtype="PICKLE")}, 8, "dtype 'PICKLE'"),
        ({"a": entry(dtype=["F32"])}, 8, "dtype"),
        ({"a": entry(shape=(-2,))}, 8, "whole numbers"),
        ({"a": entry(shape=(2.0,))}, 8, "whole numbers"),
        ({"a": entry(shape=(True, 2))}, 8, "whole numbers"),
        ({"a": entry(shape=(2**62, 2**62))}, 8, "takes"),
        ({"a": entry(shape="2")}, 8, "whole numbers"),
        ({"a": entry(offsets=(0, 2**70))}, 8, "whole numbers"),
        ({"a": entry(offsets=(8, 0))}, 8, "give it -8"),
        ({"a": entry(offsets=(0,))}, 8, "lacks"),
        ({"a": {"dtype": "F32"}}, 8, "lacks"),
        ({"a": 5}, 8, "lacks"),
        ({"a": entry(), "__metadata__": {"x": 5}}, 8, "__metadata__"),
        ({"a": entry(), "__metadata__": []}, 8, "__metadata__"),
        ({}, 0, "0 tensors"),
    ],
)
def test_a_header_that_lies_is_refused_with_the_lie(tmp_path: Path, table: Any, data: int, reason: str) -> None:
    path = raw_safetensors(tmp_path / "x", json.dumps(table).encode(), bytes(data))
    with pytest.raises(RestyleError, match=reason):
        read_header(path)


@pytest.mark.parametrize(
    ("header", "length", "reason"),
    [
        (b"{}", 2**63, "claims 9,223,372,036,854,775,808 bytes"),
        (b"{}", 3, "claims 3 bytes; a file of 10 bytes may have 2"),
        (b"{", None, "not JSON"),
        (b"\xff\xfe", None, "not JSON"),
        (b"[" * 100_000, None, "not JSON"),
        (b"[]", None, "not a JSON object"),
        (b'{"a": {"dtype": "F32", "shape": [], "data_offsets": [0, 4]}, "a": {}}', None, "'a' twice"),
    ],
)
def test_a_header_that_is_none(tmp_path: Path, header: bytes, length: int | None, reason: str) -> None:
    path = raw_safetensors(tmp_path / "x", header, length=length)
    with pytest.raises(RestyleError, match=reason):
        read_header(path)


def test_a_huge_header_is_not_even_read(tmp_path: Path) -> None:
    path = raw_safetensors(tmp_path / "x", b"{}", length=MAX_HEADER_BYTES + 1)
    with path.open("r+b") as file:
        file.truncate(10 * MAX_HEADER_BYTES)  # sparse: the claim fits the file
    with pytest.raises(RestyleError, match="may have 33,554,432"):
        read_header(path)
