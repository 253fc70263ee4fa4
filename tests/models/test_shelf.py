import threading
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from restyle.models.catalogue import Catalogue, Entry
from restyle.models.current import CurrentCatalogue
from restyle.models.kinds import Architecture, Kind
from restyle.models.shelf import Shelf
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError
from tests.support.patience import PATIENCE


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def catalogue(data: Path) -> Catalogue:
    return Catalogue.read(data)


def entry(code: str, path: Path, sha256: str) -> Entry:
    path.write_bytes(b"weights")
    return Entry(code, code, Kind.MAIN, Architecture.SD15, path, "safetensors", sha256, 7)


def test_a_hash_leads_to_its_file(data: Path, catalogue: Catalogue, tmp_path: Path) -> None:
    catalogue.add(entry("a", tmp_path / "a", "aa"))
    (tmp_path / "folder").mkdir()
    catalogue.add(replace(entry("b", tmp_path / "b", "bb"), path=tmp_path / "folder", format="folder"))
    (tmp_path / "weights.h5").write_bytes(b"")
    shelf = Shelf(CurrentCatalogue(data), {"ee": tmp_path / "weights.h5"})
    assert [shelf.find(sha256).name for sha256 in ("aa", "bb", "ee")] == ["a", "folder", "weights.h5"]


def test_what_changes_meanwhile_is_seen(data: Path, catalogue: Catalogue, tmp_path: Path) -> None:
    shelf = Shelf(CurrentCatalogue(data))
    with pytest.raises(RestyleError, match="the SHA-256 aa is not on this machine") as caught:
        shelf.find("aa")
    assert caught.value.code is Code.MODEL_NOT_FOUND
    catalogue.add(entry("a", tmp_path / "a", "aa"))
    assert shelf.find("aa") == tmp_path / "a"
    catalogue.remove("a")
    with pytest.raises(RestyleError, match="is not on this machine"):
        shelf.find("aa")


def test_of_several_the_first_that_is_there(data: Path, catalogue: Catalogue, tmp_path: Path) -> None:
    for code in ("first", "second"):
        catalogue.add(entry(code, tmp_path / code, "aa"))
    shelf = Shelf(CurrentCatalogue(data), {"aa": tmp_path / "known"})
    assert shelf.find("aa") == tmp_path / "first"
    (tmp_path / "first").unlink()
    assert shelf.find("aa") == tmp_path / "second"
    (tmp_path / "known").write_bytes(b"")
    assert shelf.find("aa") == tmp_path / "known"
    for name in ("second", "known"):
        (tmp_path / name).unlink()
    with pytest.raises(RestyleError, match="the SHA-256 aa is gone from this machine") as caught:
        shelf.find("aa")
    assert caught.value.code is Code.MODEL_NOT_FOUND
    assert str(tmp_path) not in caught.value.message


def test_a_catalogue_broken_meanwhile_changes_nothing_until_it_is_mended(
    data: Path, catalogue: Catalogue, tmp_path: Path
) -> None:
    catalogue.add(entry("a", tmp_path / "a", "aa"))
    shelf = Shelf(CurrentCatalogue(data))
    whole = catalogue.file.read_text()
    catalogue.file.write_text(whole + "[[model]]\ncode = ")
    with capture_logs() as logs:
        assert shelf.find("aa") == shelf.find("aa") == tmp_path / "a"
    assert [log["event"] for log in logs] == ["the catalogue cannot be read; the models stay as they were"]
    catalogue.file.write_text(whole.replace('"aa"', '"cc"'))
    assert shelf.find("cc") == tmp_path / "a"
    catalogue.file.write_text("x")
    with pytest.raises(RestyleError, match="is broken"):
        Shelf(CurrentCatalogue(data))


def test_many_may_look_while_models_come_and_go(data: Path, catalogue: Catalogue, tmp_path: Path) -> None:
    catalogue.add(entry("stays", tmp_path / "stays", "aa"))
    shelf = Shelf(CurrentCatalogue(data))
    done = threading.Event()
    wrong: list[object] = []

    def look() -> None:
        while not done.is_set():
            try:
                found: object = shelf.find("aa")
            except RestyleError as error:
                found = error
            if found != tmp_path / "stays":
                wrong.append(found)

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(20):
        catalogue.add(entry(f"m{number}", tmp_path / f"m{number}", f"{number}"))
        assert shelf.find(f"{number}") == tmp_path / f"m{number}"
    done.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert wrong == []
