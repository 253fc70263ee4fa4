from hashlib import sha256
from pathlib import Path

import pytest

from restyle.models.files.adopt import adopt
from restyle.models.files.part import Local
from restyle.models.files.verify import verify
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

CONTENT = bytes(range(256)) * 1000
SHA256 = sha256(CONTENT).hexdigest()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "here.safetensors"
    path.write_bytes(CONTENT)
    return path


def test_a_file_is_copied_and_told(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "models" / "there.safetensors"
    seen: list[tuple[int, int | None]] = []
    local = adopt(source, target, sha256=SHA256, report=lambda there, total: seen.append((there, total)))
    assert local == Local(target, SHA256, len(CONTENT))
    assert target.read_bytes() == CONTENT
    assert list(target.parent.iterdir()) == [target]
    assert source.exists()
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert verify(target, SHA256)


def test_another_file_than_the_one_wanted_leaves_everything_as_it_was(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "models" / "there.safetensors"
    target.parent.mkdir()
    target.write_bytes(b"before")
    with pytest.raises(RestyleError, match=f"here.safetensors is another file.*{SHA256}, not 0000") as caught:
        adopt(source, target, sha256="0" * 64)
    assert caught.value.code is Code.PARAMETER_NOT_AVAILABLE
    assert list(target.parent.iterdir()) == [target]
    assert target.read_bytes() == b"before"


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "gone"):
        with pytest.raises(RestyleError, match=f"{path} is not a file"):
            adopt(path, tmp_path / "there")


def test_whoever_stops_a_copy_leaves_nothing(source: Path, tmp_path: Path) -> None:
    def stop(there: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        adopt(source, tmp_path / "models" / "there", report=stop)
    assert list((tmp_path / "models").iterdir()) == []


def test_verifying_reads_the_file(source: Path) -> None:
    read: list[int] = []
    assert verify(source, SHA256, read.append)
    assert sum(read) == len(CONTENT)
    source.write_bytes(CONTENT[:-1] + b"x")
    assert not verify(source, SHA256)
    source.unlink()
    assert not verify(source, SHA256)
