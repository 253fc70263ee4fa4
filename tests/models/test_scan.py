import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from restyle.models.files.verify import CHUNK_BYTES
from restyle.models.scan import finite, scan, size_of
from restyle.wire.errors import RestyleError
from tests.support import models
from tests.support.models import Arrays


def test_the_hash_is_that_of_the_file(tmp_path: Path) -> None:
    large: Arrays = {
        "a": np.ones(CHUNK_BYTES // 2 + 3, np.float16),
        "b": np.ones(5, np.float32),
        "c": np.ones(3, np.int64),
    }
    path = models.save(tmp_path / "x", large)
    read: list[int] = []
    scanned = scan(path, read.append)
    assert scanned.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert scanned.size == sum(read) == path.stat().st_size


def test_a_folder_is_the_list_of_its_files(tmp_path: Path) -> None:
    model = models.folder(tmp_path / "m")
    before = scan(model)
    assert before.size == size_of(model)
    (model / "README.md").write_text("nothing reads this")
    assert scan(model) == before
    models.edit_json(model / "unet" / "config.json", sample_size=8)
    assert scan(model).sha256 != before.sha256


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("place", [0, CHUNK_BYTES + 1, -1])
def test_one_number_that_is_none(tmp_path: Path, value: float, dtype: type[np.floating], place: int) -> None:
    weights = np.ones(CHUNK_BYTES + 7, dtype)
    weights[place] = value
    path = models.save(tmp_path / "x", {"fine": np.ones(3, dtype), "the.bad.one": weights})
    with pytest.raises(RestyleError, match=r"'the\.bad\.one' holds a number that is infinite or none"):
        scan(path)


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("BF16", torch.bfloat16),
        ("F8_E4M3", torch.float8_e4m3fn),
        ("F8_E5M2", torch.float8_e5m2),
        ("F16", torch.float16),
    ],
)
def test_every_pattern_of_the_small_formats(name: str, dtype: torch.dtype) -> None:
    """Against torch, over all bit patterns there are."""
    bits: np.ndarray[Any, Any] = (
        np.arange(256, dtype=np.uint8) if dtype.itemsize == 1 else np.arange(65536, dtype=np.uint16)
    )
    expected = torch.isfinite(torch.from_numpy(bits).view(dtype).float())
    for number, wanted in enumerate(expected.tolist()):
        assert finite(bits[number : number + 1].tobytes(), name) is wanted


def test_large_finite_numbers_pass() -> None:
    for dtype, name in ((np.float16, "F16"), (np.float32, "F32"), (np.float64, "F64")):
        edges = np.array([np.finfo(dtype).max, np.finfo(dtype).min, np.finfo(dtype).tiny, 0], dtype)
        assert finite(edges.tobytes(), name)
    assert finite(b"\xff" * 8, "I64")


def test_pickled_weights_that_are_none(tmp_path: Path) -> None:
    torch.save({"string_to_param": {"*": torch.tensor([[1.0, float("nan")]])}}, tmp_path / "x.pt")
    with pytest.raises(RestyleError, match=r"string_to_param\.\*"):
        scan(tmp_path / "x.pt")
