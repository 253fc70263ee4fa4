"""``restyle fleet``: on a real PostgreSQL, with machines that have joined."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa

from restyle.conversion.draw import open_registry
from restyle.conversion.offer import offer_of
from restyle.database import open_database, reading
from restyle.queue.cluster.jobs import prepare
from restyle.queue.cluster.membership import Condition, Membership
from restyle.settings import Settings
from tests.support import databases
from tests.support.command import restyle
from tests.support.engines import REGISTRY


@pytest.fixture
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    if "postgresql" not in databases.KINDS:
        pytest.skip("no PostgreSQL server programs here")
    with databases.postgres_database(request.getfixturevalue("postgres_cluster")) as found:
        yield found


def test_machines_are_listed_for_people_and_for_programs(url: str, tmp_path: Path) -> None:
    db = open_database(url)
    prepare(db)
    joined = []
    for name, role, ready in (("counter", "api", False), ("bench", "worker", True)):
        settings = Settings(
            data_dir=tmp_path,
            database_url=url,
            registry=REGISTRY,
            role=role,
            machine_name=name,
            workers=3,
        )
        offer = partial(offer_of, open_registry(settings)) if role == "worker" else None
        membership = Membership(db, settings, offer)
        membership.condition = partial(Condition, ready, frozenset({"c" * 64} if ready else ()))
        membership.acquire()
        joined.append(membership)
    listed = restyle("fleet", "machines", folder=tmp_path, RESTYLE_DATABASE_URL=url)
    assert listed.code == 0, listed
    head, counter, bench = listed.out.splitlines()
    assert head.split() == ["ID", "NAME", "ROLE", "STATE", "RUNNING", "HEARD", "ENGINES"]
    assert counter.split()[1:5] == ["counter", "api", "not", "ready"]
    assert bench.split()[1:5] == ["bench", "worker", "ready", "0/3"]
    assert "obedient" in bench
    first, second = restyle("fleet", "machines", "--json", folder=tmp_path, RESTYLE_DATABASE_URL=url).json()
    assert (first["Name"], first["Role"], first["Ready"], first["Engines"]) == ("counter", "api", False, [])
    assert (second["Name"], second["Ready"], second["Workers"], second["Running"]) == ("bench", True, 3, 0)
    assert second["Loaded"] == ["c" * 64]
    assert second["FreeMemory"] > 0
    assert second["Silent"] >= 0
    for each in joined:
        each.release()
    db.dispose()
    none = restyle("fleet", "machines", "--json", folder=tmp_path, RESTYLE_DATABASE_URL=url)
    assert none.json() == []


def test_the_database_goes_to_a_revision_and_comes_back(url: str, tmp_path: Path) -> None:
    def go(*revision: str) -> str:
        found: str = restyle("fleet", "migrate", *revision, "--json", folder=tmp_path, RESTYLE_DATABASE_URL=url).json()[
            "Revision"
        ]
        return found

    def stored() -> str:
        db = sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg"))
        with reading(db) as connection:
            found = str(connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one())
        db.dispose()
        return found

    newest = go()
    assert stored() == newest
    assert go("r0003") == stored() == "r0003"
    assert go() == stored() == newest
    unknown = restyle("fleet", "migrate", "r9999", folder=tmp_path, RESTYLE_DATABASE_URL=url)
    assert unknown.code != 0
    assert "there is no revision r9999; there are r0001, r0002, r0003" in unknown.err
    assert stored() == newest
    told = restyle("fleet", "migrate", folder=tmp_path, RESTYLE_DATABASE_URL=url)
    assert told.out == f"the database is at revision {newest}\n"
