"""What ``docs/operations.md`` says of backups, done as it says it: everything is lost, and comes back."""

import re
import shlex
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from restyle.database import open_database, writing
from tests.support import databases
from tests.support.house import House

OPERATIONS = (Path(__file__).parents[1] / "docs" / "operations.md").read_text()
OTHERS = ("systemctl", "chown")
"""Programs of an installation that a test has none of."""


def blocks(heading: str) -> Iterator[str]:
    """The shell blocks below a heading, up to the next bold or larger one."""
    text = OPERATIONS.split(heading, 1)[1]
    text = re.split(r"^(?:## |\*\*)", text, maxsplit=1, flags=re.MULTILINE)[0]
    yield from re.findall(r"^```sh\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def carry_out(block: str, **places: str) -> None:
    """Run each line of a block, with places of the test's for those that it names."""
    for place, ours in places.items():
        block = block.replace({"data": "/var/lib/restyle", "backup": "/backup"}.get(place, place), ours)
    for line in block.splitlines():
        words = shlex.split(line)
        if words[0] in OTHERS:
            continue
        if words[0] == "sqlite3":  # the program is not everywhere; what it is told is the same
            with closing(sqlite3.connect(words[1])) as connection:
                connection.execute(words[2])
            continue
        subprocess.run(["sh", "-c", line], check=True, capture_output=True)


def lose_and_restore(house: House, lose: Callable[[], None], save: Callable[[], None]) -> None:
    """A queued and a finished task, and a pair of keys, are there again after a restore, and no later task is."""
    with house.dispatcher():
        done = house.submit()
        house.wait([done])
    picture = house.storage.get(house.task(done).images[0])
    queued = house.submit()
    pair = house.keys.create(credits=7, name="phone")
    save()
    house.submit()
    lose()
    again = House(open_database(house.settings.database()), house.settings.data_dir)
    again.account = house.account
    found = again.keys.find(pair.public_key)
    assert found is not None
    assert found.private_key == pair.private_key
    assert again.used() == 2
    assert again.storage.get(again.task(done).images[0]) == picture
    with again.dispatcher():
        assert again.wait([queued])[0].status == "Finished"
    assert again.used() == 2
    again.db.dispose()


def test_a_service_on_sqlite_comes_back_from_its_backup(tmp_path: Path) -> None:
    save, restore = blocks("## Backups")
    data, kept = tmp_path / "data", tmp_path / "kept"
    kept.mkdir()
    data.mkdir()
    house = House(open_database(f"sqlite:///{data / 'restyle.sqlite3'}"), data)

    def lose() -> None:
        house.db.dispose()
        shutil.rmtree(data)
        data.mkdir(mode=0o700)
        (data / "restyle.sqlite3-wal").write_bytes(b"of the database that is gone")
        carry_out(restore, data=str(data), backup=str(kept))

    lose_and_restore(house, lose, lambda: carry_out(save, data=str(data), backup=str(kept)))


@pytest.mark.skipif("postgresql" not in databases.KINDS, reason="no PostgreSQL server programs here")
def test_a_service_on_postgresql_comes_back_from_its_backup(
    tmp_path: Path, postgres_cluster: sa.URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    (block,) = blocks("**Backup and restore.**")
    save, restore = block.splitlines()
    programs = databases.postgres_bin()
    assert programs is not None
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    with databases.postgres_database(postgres_cluster) as url:
        places = {"restyle.dump": str(tmp_path / "dump"), "postgresql://restyle@db.example.org/restyle": url}
        db = open_database(url)
        house = House(db, tmp_path / "data", database_url=url)
        house.db.update_execution_options(restyle_fleet=None)

        def lose() -> None:
            with writing(db) as connection:
                connection.execute(sa.text("DROP SCHEMA public CASCADE"))
                connection.execute(sa.text("CREATE SCHEMA public"))
            db.dispose()
            carry_out(restore, **places)

        lose_and_restore(house, lose, lambda: carry_out(save, **places))
