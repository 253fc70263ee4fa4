import json
import stat
import zipfile
from pathlib import Path

import pytest

from restyle.prompts import packages
from restyle.prompts.packages import install, installed, remove
from restyle.prompts.translator import Translator
from restyle.wire.errors import RestyleError
from tests.support.marian import zipped

pytestmark = pytest.mark.filterwarnings("ignore:Recommended. pip install sacremoses")

METADATA = json.dumps({"from_code": "zh", "to_code": "en", "package_version": "1.9"}).encode()


@pytest.fixture
def argos(marian: Path) -> dict[str, bytes]:
    """The members of an Argos package around the same model, with what such packages carry besides."""
    members = {f"translate-zh_en/model/{path.name}": path.read_bytes() for path in (marian / "model").iterdir()}
    members["translate-zh_en/sentencepiece.model"] = (marian / "source.spm").read_bytes()
    members["translate-zh_en/metadata.json"] = METADATA
    members["translate-zh_en/README.md"] = b"read me"
    members["translate-zh_en/stanza/zh/tokenize/gsd.pt"] = b"a pickle"
    return members


def refusal(data_dir: Path, path: Path, code: str = "") -> str:
    with pytest.raises(RestyleError) as caught:
        install(data_dir, path, code)
    assert installed(data_dir) == []
    assert [entry.name for entry in (data_dir / "languages").iterdir()] == []
    return caught.value.message


def test_an_argos_package_is_installed_without_its_other_files(argos: dict[str, bytes], tmp_path: Path) -> None:
    record = install(tmp_path, zipped(tmp_path / "zh.argosmodel", argos))
    assert (record.code, record.kind, record.version) == ("zh", "argos", "1.9")
    assert len(record.sha256) == 64
    files = {path.name for path in (tmp_path / "languages" / "zh").rglob("*") if path.is_file()}
    assert files == {"model.bin", "config.json", "shared_vocabulary.json", "sentencepiece.model", "installed.json"}
    assert "(neural)" in Translator(tmp_path).translate(["小猫"]).notices[0]


def test_a_folder_is_installed_listed_replaced_and_removed(marian: Path, tmp_path: Path) -> None:
    first = install(tmp_path, marian, "zh")
    assert install(tmp_path, marian, "zh") == first
    assert installed(tmp_path) == [first]
    remove(tmp_path, "zh")
    assert installed(tmp_path) == []
    with pytest.raises(RestyleError, match="not installed"):
        remove(tmp_path, "zh")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../../evil", "outside"),
        ("/etc/evil", "outside"),
        ("a/../../evil", "outside"),
        ("..\\evil", "outside"),
        ("C:evil", "outside"),
    ],
)
def test_files_that_would_land_outside_are_refused(
    name: str, reason: str, argos: dict[str, bytes], tmp_path: Path
) -> None:
    archive = zipped(tmp_path / "zh.argosmodel", argos | {name: b"evil"})
    assert reason in refusal(tmp_path / "data", archive)


def test_symbolic_links_are_refused(argos: dict[str, bytes], marian: Path, tmp_path: Path) -> None:
    archive = zipped(tmp_path / "zh.argosmodel", argos)
    link = zipfile.ZipInfo("translate-zh_en/model/config.json.link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(archive, "a") as package:
        package.writestr(link, "/etc/passwd")
    assert "symbolic link" in refusal(tmp_path / "data", archive)

    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "source.spm").symlink_to(marian / "source.spm")
    assert "symbolic link" in refusal(tmp_path / "data", folder, "zh")


def test_bombs_are_refused(argos: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = argos | {"translate-zh_en/model/model.bin": bytes(8 * packages.MIB)}
    assert "more than 100 times" in refusal(tmp_path / "data", zipped(tmp_path / "bomb.argosmodel", bomb))
    many = argos | {f"translate-zh_en/{number}": b"" for number in range(packages.MOST_FILES)}
    assert "files" in refusal(tmp_path / "data", zipped(tmp_path / "many.argosmodel", many))
    monkeypatch.setattr(packages, "MOST_BYTES", 1000)
    assert "larger than" in refusal(tmp_path / "data", zipped(tmp_path / "large.argosmodel", argos))


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        (b'{"from_code": "zh", "to_code": "fr"}', "only packages into English"),
        (b'{"from_code": "nl", "to_code": "en"}', "one of zh, ja"),
        (b"[]", "not an object"),
        (b"{", "not JSON"),
    ],
)
def test_packages_of_other_languages_are_refused(
    metadata: bytes, reason: str, argos: dict[str, bytes], tmp_path: Path
) -> None:
    archive = zipped(tmp_path / "zh.argosmodel", argos | {"translate-zh_en/metadata.json": metadata})
    assert reason in refusal(tmp_path / "data", archive)


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        ("translate-zh_en/model/model.bin", "no CTranslate2 model"),
        ("translate-zh_en/sentencepiece.model", "neither"),
        ("translate-zh_en/metadata.json", "no metadata.json"),
    ],
)
def test_incomplete_packages_are_refused(member: str, reason: str, argos: dict[str, bytes], tmp_path: Path) -> None:
    del argos[member]
    assert reason in refusal(tmp_path / "data", zipped(tmp_path / "zh.argosmodel", argos))


def test_files_that_are_no_package_and_models_that_do_not_run_are_refused(
    argos: dict[str, bytes], tmp_path: Path
) -> None:
    text = tmp_path / "text.argosmodel"
    text.write_text("not an archive")
    assert "is not a package" in refusal(tmp_path / "data", text)
    assert "neither a file nor a folder" in refusal(tmp_path / "data", tmp_path / "nothing")
    archive = zipped(tmp_path / "zh.argosmodel", argos | {"translate-zh_en/model/model.bin": b"no weights"})
    assert "does not run" in refusal(tmp_path / "data", archive)


def test_a_marian_folder_needs_its_language_said(marian: Path, tmp_path: Path) -> None:
    assert "say the language" in refusal(tmp_path, marian)


def test_the_language_asked_for_must_be_the_packages(argos: dict[str, bytes], tmp_path: Path) -> None:
    assert "not from ja" in refusal(tmp_path / "data", zipped(tmp_path / "zh.argosmodel", argos), "ja")
