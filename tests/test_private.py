"""Who may look into the data folder: its owner, whatever the umask and whatever was there before."""

import os
from pathlib import Path

import pytest

from restyle.private import make_data_folder
from restyle.wire.errors import RestyleError
from tests.support.command import restyle
from tests.support.strangers import needs_root, nobody


def modes(folder: Path) -> set[int]:
    return {path.stat().st_mode & 0o077 for path in (folder, *folder.rglob("*"))}


@pytest.mark.parametrize("umask", [0o000, 0o022])
def test_nothing_in_the_data_folder_is_for_others(tmp_path: Path, umask: int) -> None:
    folder = tmp_path / "there"
    folder.mkdir()
    folder.chmod(0o755)  # as systemd makes it
    before = os.umask(umask)
    try:
        assert restyle("keys", "create", folder=tmp_path, RESTYLE_DATA_DIR=str(folder)).code == 0
    finally:
        os.umask(before)
    assert modes(folder) == {0}
    folder.chmod(0o777)  # as somebody left it
    assert make_data_folder(folder)
    assert modes(folder) == {0}


def test_a_folder_that_is_not_ours_alone_keeps_its_mode(tmp_path: Path) -> None:
    for mode, name in ((0o1777, "key"), (0o755, "somebody's file")):
        folder = tmp_path / f"{mode:o}"
        folder.mkdir()
        (folder / name).touch()
        folder.chmod(mode)
        assert not make_data_folder(folder)
        assert folder.stat().st_mode & 0o7777 == mode


@pytest.mark.parametrize("name", ["what?now", "50%20off", "a#b", "x&y=z", "ü ?mode=memory"])
def test_a_data_folder_of_any_name(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    for number in (1, 2):
        made = restyle("keys", "create", "--json", folder=tmp_path, RESTYLE_DATA_DIR=str(folder)).json()
        listed = restyle("keys", "list", "--json", folder=tmp_path, RESTYLE_DATA_DIR=str(folder)).json()
        assert (len(listed), listed[-1]["PublicKey"]) == (number, made["PublicKey"])
    assert {path.name for path in folder.iterdir()} == {"key", "restyle.sqlite3", "restyle.sqlite3.lock"}
    assert [path.name for path in tmp_path.iterdir()] == [name]
    found = restyle("doctor", "--json", folder=tmp_path, RESTYLE_DATA_DIR=str(folder), RESTYLE_PORT="0").json()
    (database,) = (one for one in found if one["Check"] == "database")
    assert "up to date" in database["Found"]


def test_the_default_is_the_users_own_folder_unless_the_earlier_one_is_here(tmp_path: Path) -> None:
    home = tmp_path / "home"
    work = tmp_path / "work"
    work.mkdir()
    unset = {"RESTYLE_DATA_DIR": None, "XDG_DATA_HOME": str(home), "HOME": str(tmp_path)}
    ran = restyle("keys", "create", folder=work, **unset)
    assert (ran.code, ran.err) == (0, "")
    (folder,) = {path.parent for path in tmp_path.rglob("restyle.sqlite3")}
    assert folder.name == "restyle"
    assert list(work.iterdir()) == []
    (work / "restyle-data").mkdir()
    ran = restyle("keys", "create", folder=work, **unset)
    assert (ran.code, f"using the data folder {work / 'restyle-data'}" in ran.err) == (0, True)
    assert (work / "restyle-data" / "key").exists()


@needs_root
@pytest.mark.parametrize(
    "arguments", [("keys", "create"), ("keys", "list"), ("serve", "--port", "0"), ("credits", "show", "x")]
)
@pytest.mark.parametrize("data", ["missing", "empty"])
def test_another_user_is_told_in_one_line(open_path: Path, arguments: tuple[str, ...], data: str) -> None:
    (open_path / "empty").mkdir()
    (open_path / "empty").chmod(0o755)
    with nobody():
        ran = restyle(*arguments, folder=open_path, RESTYLE_DATA_DIR=str(open_path / data))
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (5, "", 1), ran
    assert f"the data folder {open_path / data} cannot be" in ran.err


@needs_root
def test_somebody_elses_data_folder_is_told_in_one_line(open_path: Path) -> None:
    folder = open_path / "data"
    assert restyle("keys", "create", folder=open_path, RESTYLE_DATA_DIR=str(folder)).code == 0
    with nobody():
        for arguments in (("keys", "list"), ("serve", "--port", "0")):
            ran = restyle(*arguments, folder=open_path, RESTYLE_DATA_DIR=str(folder))
            assert (ran.code, len(ran.err.splitlines())) == (5, 1), ran


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    with pytest.raises(RestyleError, match="cannot be used: File exists"):
        make_data_folder(tmp_path / "x")
