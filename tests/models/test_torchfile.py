import collections
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from restyle.models.torchfile import read_tensors
from restyle.wire.errors import RestyleError
from tests.support import models


def test_shapes_and_values_by_dotted_name(tmp_path: Path) -> None:
    tensors, _ = read_tensors(models.hypernetwork(tmp_path / "h.pt", [768, 320]))
    assert tensors.shapes["768.0.linear.0.weight"] == (1536, 768)
    assert tensors.shapes["320.1.linear.2.bias"] == (320,)
    assert tensors.values["activation_func"] == "relu"


@pytest.mark.parametrize("zipped", [True, False])
def test_a_state_dict_counts_as_the_top(tmp_path: Path, zipped: bool) -> None:
    state = collections.OrderedDict(a=torch.ones(2, dtype=torch.float16), b=torch.nn.Parameter(torch.ones(3, 2)))
    torch.save({"state_dict": state, "epoch": 3}, tmp_path / "x.ckpt", _use_new_zipfile_serialization=zipped)
    shapes, tensors = read_tensors(tmp_path / "x.ckpt")
    assert shapes.shapes == {"a": (2,), "b": (3, 2)}
    assert tensors["b"].sum() == 6


@pytest.mark.parametrize("protocol", [0, 1, 2, 4])
def test_a_pickle_that_would_run_a_command(tmp_path: Path, protocol: int) -> None:
    trace = tmp_path / "trace"
    evil = models.evil_pickle(tmp_path / "evil.ckpt", trace, protocol=protocol)
    with pytest.raises(RestyleError, match="would import"):
        read_tensors(evil)
    assert not trace.exists()
    pickle.loads(evil.read_bytes())  # the payload is live: a careless reader would have run it
    assert trace.exists()


def test_a_file_of_torch_that_would_run_a_command(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    with pytest.raises(RestyleError, match=r"would import (posix|nt|os)\.system, which is no piece of a tensor"):
        read_tensors(models.evil_torch(tmp_path / "evil.pt", trace))
    assert not trace.exists()


def test_numpy_in_a_pickle_is_named(tmp_path: Path) -> None:
    torch.save({"string_to_param": np.zeros(3)}, tmp_path / "x.pt")
    with pytest.raises(RestyleError, match=r"would import numpy\..*safetensors"):
        read_tensors(tmp_path / "x.pt")


def archive(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return path


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    content = pickle.dumps({}, 2)
    bomb = archive(tmp_path / "x.pt", {"x/data.pkl": content, "x/data/0": bytes(10**8)}, zipfile.ZIP_DEFLATED)
    assert bomb.stat().st_size < 10**6
    with pytest.raises(RestyleError, match=r"a zip bomb.* would unpack to 100,000"):
        read_tensors(bomb)


def test_members_that_share_their_bytes_are_a_bomb_too(tmp_path: Path) -> None:
    """The directory names the same stored bytes a hundred times over."""
    path = archive(tmp_path / "x.pt", {"x/data.pkl": pickle.dumps({}, 2), "x/data/0": bytes(10_000)})
    raw = path.read_bytes()
    end = raw.rindex(b"PK\x05\x06")
    count, _, size, start = struct.unpack("<HHII", raw[end + 8 : end + 20])
    assert count == 2
    last = raw[start + raw[start:end].rindex(b"PK\x01\x02") : end]
    copies = b"".join(last.replace(b"x/data/0", f"x/data/{i:x}"[:8].encode()) for i in range(1, 16))
    tail = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, count + 15, count + 15, size + len(copies), start, 0)
    path.write_bytes(raw[:end] + copies + tail)
    with pytest.raises(RestyleError, match="zip bomb"):
        read_tensors(path)


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"x/readme": b"hello"}, "without the data.pkl"),
        ({"x/data.pkl": b"", "x/constants.pkl": b""}, "TorchScript"),
        ({"x/data.pkl": b"nonsense"}, "not a file of torch.save"),
        ({"x/data.pkl": b"\x80\x02"}, "not a file of torch.save"),
        ({"x/data.pkl": pickle.dumps([1], 2)}, "list|torch does not read it"),
    ],
)
def test_archives_that_are_none_of_torch(tmp_path: Path, members: dict[str, bytes], reason: str) -> None:
    with pytest.raises(RestyleError, match=reason):
        read_tensors(archive(tmp_path / "x.pt", members))


def test_a_tensor_that_repeats_few_bytes_endlessly(tmp_path: Path) -> None:
    torch.save({"emb": torch.zeros(1).expand(10**12)}, tmp_path / "x.pt")
    assert (tmp_path / "x.pt").stat().st_size < 10_000
    with pytest.raises(RestyleError, match="claims 4,000,000,000,000 bytes"):
        read_tensors(tmp_path / "x.pt")


def test_lists_that_hold_one_another_endlessly(tmp_path: Path) -> None:
    lists: list[object] = []
    for _ in range(7):
        lists = [lists] * 50
    torch.save({"x": lists, "w": torch.zeros(1)}, tmp_path / "x.pt")
    with pytest.raises(RestyleError, match="nested deeper or longer"):
        read_tensors(tmp_path / "x.pt")


def test_a_file_cut_short(tmp_path: Path) -> None:
    path = models.hypernetwork(tmp_path / "h.pt", [320])
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(RestyleError, match="damaged"):
        read_tensors(path)
