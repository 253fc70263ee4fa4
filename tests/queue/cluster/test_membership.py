"""Machines of one fleet without their processes: who may draw what, who is gone, and who decides it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from restyle.conversion.offer import FleetRegistry, offer_of
from restyle.database import machines, migrate, open_database, tasks, unavailable, writing
from restyle.queue.claims import Claims
from restyle.queue.cluster.jobs import prepare
from restyle.queue.cluster.membership import NOW, Condition, Membership
from restyle.queue.lock import SupervisorLock
from restyle.wire.errors import RestyleError
from tests.support import databases
from tests.support.engines import THOROUGH
from tests.support.house import House

CHECKPOINT, OTHER = "c" * 64, "d" * 64
Join = Callable[..., Membership]


@pytest.fixture
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    if "postgresql" not in databases.KINDS:
        pytest.skip("no PostgreSQL server programs here")
    with databases.postgres_database(request.getfixturevalue("postgres_cluster")) as found:
        yield found


@pytest.fixture
def house(url: str, tmp_path: Path) -> Iterator[House]:
    db = open_database(url)
    memberships: list[Membership] = []
    db.update_execution_options(restyle_fleet=memberships)
    yield House(db, tmp_path / "data", machine_seconds=2, affinity_seconds=1000)
    for each in memberships:
        each.release()
    db.dispose()


@pytest.fixture
def join(house: House) -> Join:
    """A further machine of the house's fleet, with these files beside what the house has."""

    def join(*files: str, **changes: Any) -> Membership:
        base = offer_of(house.registry)
        families = [*base["families"], "diffusion"]
        offer = {**base, "files": [*base["files"], *files], "families": families}
        settings = house.settings.model_copy(update=changes)
        membership = Membership(house.db, settings, lambda: offer)
        membership.condition = lambda: Condition(True)
        membership.acquire()
        house.db.get_execution_options()["restyle_fleet"].append(membership)
        return membership

    return join


def need(house: House, uid: str, needs: str) -> None:
    with writing(house.db) as connection:
        connection.execute(sa.update(tasks).where(tasks.c.uid == uid).values(needs=needs))


def test_a_task_goes_only_where_its_files_are(house: House, join: Join) -> None:
    poor, rich = join(), join(CHECKPOINT)
    first, second = house.submit(), house.submit()
    need(house, first, f"diffusion {CHECKPOINT}")
    at_poor, at_rich = (Claims(house.db, house.settings, each) for each in (poor, rich))
    claim = at_poor.next()
    assert claim is not None
    assert claim.uid == second
    assert at_poor.next() is None
    claim = at_rich.next()
    assert claim is not None
    assert claim.uid == first
    poor.renew()
    assert [each.id for each in poor.drawers(f"diffusion {CHECKPOINT}")] == [rich.machine]
    assert poor.drawers(f"diffusion {CHECKPOINT} {OTHER}") == []


def test_a_task_goes_first_to_who_has_its_checkpoint_loaded_and_then_to_anybody(house: House, join: Join) -> None:
    cold, warm = join(CHECKPOINT), join(CHECKPOINT)
    warm.condition = lambda: Condition(True, frozenset({CHECKPOINT}))
    warm.renew()
    cold.renew()
    uid = house.submit()
    need(house, uid, f"diffusion {CHECKPOINT}")
    assert Claims(house.db, house.settings, cold).next() is None
    claim = Claims(house.db, house.settings, warm).next()
    assert claim is not None
    Claims(house.db, house.settings, warm).interrupt(claim)
    with writing(house.db) as connection:
        connection.execute(sa.update(tasks).values(created=tasks.c.created - 2000))
    assert Claims(house.db, house.settings, cold).next() is not None


def test_only_the_claims_of_ones_own_machine_are_interrupted(house: House, join: Join) -> None:
    first, second = (Claims(house.db, house.settings, join()) for _ in range(2))
    uids = [house.submit(), house.submit()]
    mine, theirs = first.next(), second.next()
    assert mine is not None
    assert theirs is not None
    assert first.interrupt_all(set()) == [uids[0]]
    assert Claims(house.db, house.settings).interrupt_all(set()) == []
    assert second.lost({theirs.claim}) == set()
    assert second.finish(theirs, ["kept"])


def test_a_silent_machine_is_gone_but_not_after_a_silence_of_ones_own(
    house: House, join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("restyle.queue.cluster.membership.time.monotonic", lambda: now[0])
    watcher, silent = join(), join()
    claims = Claims(house.db, house.settings, silent)
    uid = house.submit()
    claim = claims.next()
    assert claim is not None
    with writing(house.db) as connection:
        connection.execute(sa.update(machines).where(machines.c.id == silent.machine).values(heard=NOW - 60))
    now[0] += 60  # the watcher was deaf itself
    watcher.renew()
    assert claims.lost({claim.claim}) == set()
    for _ in range(3):
        now[0] += 0.9
        watcher.renew()
    assert claims.lost({claim.claim}) == {claim.claim}
    assert not claims.finish(claim, ["late"])
    before = silent.machine
    silent.renew()
    assert silent.machine != before
    again = Claims(house.db, house.settings, watcher).next()
    assert again is not None
    assert again.uid == uid


def test_a_machine_may_leave_while_another_looks_who_is_there(house: House, join: Join) -> None:
    leaving, staying = join(CHECKPOINT), join(OTHER)
    left: list[bool] = []

    @sa.event.listens_for(house.db, "after_cursor_execute")
    def leave(*executed: Any) -> None:
        if "stray" in executed[2] and not left:
            left.append(True)
            leaving.release()

    newcomer = join(OTHER)
    assert left
    assert newcomer.drawers(f"diffusion {CHECKPOINT}") == []
    staying.renew()
    assert [each.id for each in staying.drawers(f"diffusion {OTHER}")] == [staying.machine, newcomer.machine]


def test_one_service_alone_and_a_fleet_keep_each_other_out(house: House, join: Join) -> None:
    join()
    alone = SupervisorLock(house.db)
    with pytest.raises(RestyleError, match="another service already runs the tasks"):
        alone.acquire()
    for each in house.db.get_execution_options()["restyle_fleet"]:
        each.release()
    alone.acquire()
    with pytest.raises(RestyleError, match="another service already runs the tasks"):
        join()
    alone.release()


def test_what_a_service_left_that_ran_alone_runs_again_in_the_fleet(house: House, join: Join) -> None:
    uid = house.submit()
    assert Claims(house.db, house.settings).next() is not None
    claim = Claims(house.db, house.settings, join()).next()
    assert claim is not None
    assert claim.uid == uid


def test_the_models_of_a_fleet_are_those_of_its_machines(house: House, join: Join) -> None:
    offers = [offer_of(house.registry)]
    registry = FleetRegistry(house.settings, house.registry, lambda: offers)
    own = house.registry.mains[THOROUGH]
    found = registry.main(THOROUGH, field="model")
    assert (found.name, found.defaults, found.family) == (own.name, own.defaults, own.family)
    ink = registry.sub("ink", found, field="sub")
    assert ink.entry.sha256 == house.registry.subs["ink"].entry.sha256
    assert set(registry.mains) == {code for code, model in house.registry.mains.items() if not model.absence()}
    offers = []
    assert THOROUGH in registry.mains  # what is missing is a machine, no model


def test_models_whose_machines_are_not_ready_for_a_moment_are_not_gone(join: Join) -> None:
    """An API that was started meanwhile would refuse what they can draw as a model that nobody has."""
    tired = join(CHECKPOINT)
    tired.condition = lambda: Condition(False)
    tired.renew()
    assert [CHECKPOINT in offer["files"] for offer in tired.offers()] == [True]
    join(OTHER)
    tired.renew()
    assert [OTHER in offer["files"] for offer in tired.offers()] == [True]


def test_a_fleet_needs_postgresql(tmp_path: Path) -> None:
    db = open_database(f"sqlite:///{tmp_path / 'x.sqlite3'}")
    with pytest.raises(RestyleError, match=r"a fleet needs PostgreSQL.*RESTYLE_DATABASE_URL"):
        prepare(db)
    db.dispose()


def test_the_schema_goes_back_and_forwards_with_tasks_in_place(house: House, url: str) -> None:
    uid = house.submit(cost=3)
    assert migrate(url, "r0003") == "r0003"
    with pytest.raises(RestyleError, match="there is no revision r9"):
        migrate(url, "r9")
    house.db.dispose()
    assert house.task(uid).cost == 3
    assert house.used() == 3
    assert Claims(house.db, house.settings).next() is not None


def test_a_disk_too_full_for_the_call_is_a_database_that_is_away(house: House) -> None:
    """The call is Procrastinate's to write, whose own error would be one that nobody expects: 5000 for the client."""
    with writing(house.db) as connection:
        full = "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE disk_full; END'"
        connection.execute(sa.text(full))
        each = "CREATE TRIGGER no_room BEFORE INSERT ON procrastinate_jobs EXECUTE FUNCTION no_room()"
        connection.execute(sa.text(each))
    with pytest.raises(OperationalError) as caught:
        house.submit()
    assert unavailable(caught.value)
