"""What ``restyle doctor`` finds, in installations that ail in one way each."""

import base64
import json
import socket
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from restyle.accounts.keys import KeyStore
from restyle.database import open_database
from restyle.doctor import Finding, examine
from restyle.models.kinds import Architecture
from restyle.settings import Settings
from tests.support.command import restyle
from tests.support.engines import REGISTRY
from tests.support.service import RunningService


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder in use."""
    folder = tmp_path / "data"
    db = open_database(f"sqlite:///{folder / 'restyle.sqlite3'}")
    KeyStore(db, folder / "key").create(credits=1)
    db.dispose()
    return folder


def findings(folder: Path, **changes: Any) -> dict[str, Finding]:
    values = {"data_dir": folder, "port": 0, "registry": REGISTRY, "workers": 1, **changes}
    return {finding.check: finding for finding in examine(Settings(**values))}


def test_a_fresh_installation_is_well_and_stays_untouched(tmp_path: Path) -> None:
    ran = restyle("doctor", "--json", folder=tmp_path, RESTYLE_PORT="0", RESTYLE_WORKERS="1")
    found = ran.json()
    assert all(finding["Well"] and not finding["Mend"] for finding in found)
    named = {finding["Check"] for finding in found}
    assert {"Python", "openvino", "engine obedient", "disk", "port"} <= named
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_use_is_well(data: Path) -> None:
    found = findings(data)
    assert all(finding.well for finding in found.values())
    assert "mode 0600" in found["key file"].found
    assert "up to date" in found["database"].found


def test_exit_code_1_and_a_way_to_mend(data: Path, tmp_path: Path) -> None:
    (data / "key").chmod(0o644)
    ran = restyle("doctor", folder=tmp_path, RESTYLE_DATA_DIR=str(data), RESTYLE_PORT="0", RESTYLE_WORKERS="1")
    assert ran.code == 1
    assert "WRONG  key file" in ran.out
    assert f"mend: chmod 600 {data / 'key'}" in ran.out


def test_a_damaged_database(data: Path) -> None:
    path = data / "restyle.sqlite3"
    path.write_bytes(b"this is no database at all" * 300)
    found = findings(data)["database"]
    assert not found.well
    assert "restore" in found.mend


def test_a_database_of_a_newer_restyle(data: Path) -> None:
    with sqlite3.connect(data / "restyle.sqlite3") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    found = findings(data)["database"]
    assert (found.well, "9999 of a newer" in found.found, "upgrade" in found.mend) == (False, True, True)


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    assert "is a file" in findings(tmp_path / "data")["data folder"].found


def test_an_engine_that_does_not_load(tmp_path: Path) -> None:
    found = findings(tmp_path, registry="tests.support.engines:broken_registry")["engine broken"]
    assert (found.well, "no weights" in found.found) == (False, True)
    assert not findings(tmp_path, registry="no.such:thing")["models"].well


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        found = findings(tmp_path, port=taken.getsockname()[1])["port"]
    assert (found.well, "RESTYLE_PORT" in found.mend) == (False, True)


def test_a_port_where_restyle_itself_answers(service: RunningService) -> None:
    port = int(service.url.rpartition(":")[2])
    found = findings(service.settings.data_dir, port=port)["port"]
    assert (found.well, "answers" in found.found) == (True, True)


def test_registered_models_are_looked_after(tmp_path: Path) -> None:
    registry = {"RESTYLE_PORT": "0", "RESTYLE_WORKERS": "1"}
    pytest.importorskip("diffusers")
    from tests.support import checkpoints, submodels

    main = checkpoints.single_file(tmp_path / "main", Architecture.SD15)
    ink = submodels.lora(tmp_path / "ink", Architecture.SD15)
    adapter = submodels.ip_adapter(tmp_path / "ip", Architecture.SD15)
    for code, path in (("main", main), ("ink", ink), ("ip", adapter)):
        assert restyle("models", "add", path, "--code", code, "--architecture", "sd15", folder=tmp_path).code == 0

    def found() -> dict[str, dict[str, Any]]:
        ran = restyle("doctor", "--json", folder=tmp_path, **registry)
        return {finding["Check"]: finding for finding in json.loads(ran.out)}

    before = found()
    assert before["model main"]["Well"]
    assert before["model ink"]["Well"]
    assert not before["model ip"]["Well"]
    assert "no image encoder of width 32" in before["model ip"]["Found"]
    catalogue = tmp_path / "restyle-data" / "models" / "catalogue.toml"
    ink.write_bytes(ink.read_bytes() + b"more")
    assert "were registered" in found()["model ink"]["Found"]
    ink.unlink()
    assert "is missing" in found()["model ink"]["Found"]
    catalogue.write_text("x")
    assert not found()["catalogue"]["Well"]


def test_a_key_file_that_is_missing_short_or_another_installations(data: Path, tmp_path: Path) -> None:
    kept = (data / "key").read_bytes()
    (data / "key").write_bytes(kept[:20])
    assert "no key file" in findings(data)["key file"].found
    (data / "key").write_bytes(base64.b64encode(b"x" * 32))
    found = findings(data)["key file"]
    assert (found.well, "does not open the keys" in found.found, "restore" in found.mend) == (False, True, True)
    (data / "key").unlink()
    found = findings(data)["key file"]
    assert (found.well, "is missing, and it sealed the 1 keys" in found.found) == (False, True)
    assert not (data / "key").exists()
    (data / "key").mkdir()
    assert "cannot be read" in findings(data)["key file"].found


def test_storage_that_cannot_be_used(data: Path, tmp_path: Path) -> None:
    assert findings(data)["storage"].well
    (data / "objects").write_text("")
    assert "no folder that can be written" in findings(data)["storage"].found
    for url, says in (("gopher://x", "storage_url cannot be opened"), (f"file://{data}/key", "no folder")):
        found = findings(data, storage_url=url)["storage"]
        assert (found.well, says in found.found, bool(found.mend)) == (False, True, True)


def test_a_folder_that_others_may_look_into(tmp_path: Path) -> None:
    (tmp_path / "somebody's").touch()
    tmp_path.chmod(0o755)
    found = findings(tmp_path)["data folder"]
    assert (found.well, "mode 0755" in found.found, found.mend) == (False, True, f"chmod 700 {tmp_path}")


def test_variables_that_nobody_reads(tmp_path: Path) -> None:
    ran = restyle(
        "doctor", "--json", folder=tmp_path, RESTYLE_PORT="0", RESTYLE_WORKRES="3", RESTYLE_QQQQ="1", RESTYLE_URL="x"
    )
    found = {one["Check"]: one["Mend"] for one in json.loads(ran.out) if not one["Well"]}
    assert found["variable RESTYLE_WORKRES"] == "unset RESTYLE_WORKRES, or write RESTYLE_WORKERS"
    assert found["variable RESTYLE_QQQQ"] == "unset RESTYLE_QQQQ"
    assert ran.code == 1
