"""What is done to a stage. Each fault returns once it is over, whatever then has to mend itself."""

import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias

import psutil
import sqlalchemy as sa

from benchmarks.soak.book import UNREADABLE, WELL
from benchmarks.soak.crowd import Crowd
from benchmarks.soak.stage import POSTGRES_CLOCK, Alone, Fleet, Stage
from restyle.database import writing
from restyle.queue.cluster.jobs import Calls
from restyle.queue.probe import LOOK_SECONDS
from tests.support.patience import wait_for

OUTAGE_SECONDS = 10.0
STORAGE_SECONDS = 6.0
STOP_SECONDS = 3.0
TELL_SECONDS = LOOK_SECONDS + 10
"""Storage that nobody asks for anything is tried every half a minute: who hides its failure for longer than that, and
what a busy machine needs to say so, hides it."""
AHEAD_SECONDS = (300, 3 * 3600)
"""How far a clock is set; below the 24 hours after which results are deleted, and that is right."""
POISONS = {
    "newer": '{"version": 99}',
    "unknown engine": '{"version": 1, "engine": "nobody"}',
    "broken": '{"version"',
}
NO_PLAN = '["no", "plan"]'

Do: TypeAlias = Callable[[Stage, Crowd, random.Random], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """``shown`` says that every API must say that it is not ready before the fault is over."""

    name: str
    do: Do
    shown: bool = False


def last(stage: Stage, seconds: float, *, told: bool = False) -> None:
    """Let what was begun go on for a while, and, where it must be ``told``, until it was or should have been."""
    began = time.monotonic()
    time.sleep(seconds)
    while told and not stage.told() and time.monotonic() < began + TELL_SECONDS:
        time.sleep(0.1)


def kill_worker(stage: Stage, crowd: Crowd, dice: random.Random) -> None:
    stage.kill_worker(dice)


def kill_machine(stage: Stage, crowd: Crowd, dice: random.Random) -> None:
    """It stays away for a while: in half of the cases until it is taken for gone."""
    assert isinstance(stage, Fleet)
    stage.vanish(dice.choice(stage.drawers))
    time.sleep(dice.uniform(0, 2 * stage.settings["machine_seconds"]))


def kill_api(stage: Stage, crowd: Crowd, dice: random.Random) -> None:
    """Of the service alone in the embedded default: its workers have to notice by themselves."""
    dice.choice(stage.apis).kill()
    time.sleep(dice.uniform(0, STOP_SECONDS))


def kill_everything(stage: Stage, crowd: Crowd, dice: random.Random) -> None:
    if isinstance(stage, Fleet):
        stage.stop_postgres("immediate")
    for machine in stage.machines:
        stage.vanish(machine)
    time.sleep(dice.uniform(0, 0.5))
    if isinstance(stage, Fleet):
        stage.start_postgres()


def restart_postgres(mode: str) -> Do:
    def restart(stage: Stage, crowd: Crowd, dice: random.Random) -> None:
        assert isinstance(stage, Fleet)
        stage.stop_postgres(mode)
        time.sleep(dice.uniform(0, 1))
        stage.start_postgres()

    return restart


def cut_database(stage: Stage, crowd: Crowd, dice: random.Random) -> None:
    """Connections are reset and refused."""
    assert isinstance(stage, Fleet)
    stage.wire.cut()
    last(stage, OUTAGE_SECONDS)
    stage.wire.heal()


def hold_database(stage: Stage, crowd: Crowd, dice: random.Random) -> None:
    """Nothing comes through, and nobody is told."""
    assert isinstance(stage, Fleet)
    stage.wire.hold()
    last(stage, OUTAGE_SECONDS)
    stage.wire.heal()


def lock_database(stage: Stage, crowd: Crowd, dice: random.Random) -> None:
    """Another process writes to the SQLite file, and does not come to an end."""
    db = stage.database()
    with writing(db):
        last(stage, OUTAGE_SECONDS)
    db.dispose()


def no_storage(stage: Stage, crowd: Crowd, dice: random.Random) -> None:
    if isinstance(stage, Fleet):
        stage.store_wire.cut()
        last(stage, STORAGE_SECONDS, told=True)
        stage.store_wire.heal()
        return
    assert isinstance(stage, Alone)
    aside = stage.objects.with_name("aside")
    stage.objects.rename(aside)
    stage.objects.touch()
    last(stage, STORAGE_SECONDS, told=True)
    stage.objects.unlink()
    aside.rename(stage.objects)


def slow_storage(stage: Stage, crowd: Crowd, dice: random.Random) -> None:
    assert isinstance(stage, Fleet)
    stage.store_wire.slow(dice.uniform(0.1, 1))
    last(stage, STORAGE_SECONDS)
    stage.store_wire.heal()


def full_storage(stage: Stage, crowd: Crowd, dice: random.Random) -> None:
    assert isinstance(stage, Fleet)
    stage.store_wire.refuse(dice.choice((503, 507)))
    last(stage, STORAGE_SECONDS, told=True)
    stage.store_wire.heal()


def full_disk(stage: Stage, crowd: Crowd, dice: random.Random) -> None:
    """The service's own, database and pictures; in a fleet PostgreSQL's, which may have to be started again then."""
    stage.fill_disk()
    last(stage, STORAGE_SECONDS, told=isinstance(stage, Alone))
    stage.empty_disk()
    if isinstance(stage, Fleet) and not stage.postgres_is_up():
        stage.stop_postgres()
        stage.start_postgres()


def set_clock(direction: int) -> Do:
    def change(stage: Stage, crowd: Crowd, dice: random.Random) -> None:
        """Of one machine among all, PostgreSQL's being one."""
        assert stage.clocks is not None
        names = ["service"]
        if isinstance(stage, Fleet):
            names = [*(f"machine{number}" for number in range(len(stage.machines))), POSTGRES_CLOCK]
        name = dice.choice(names)
        stage.clocks.set(name, direction * dice.randint(*AHEAD_SECONDS))
        time.sleep(dice.uniform(1, STOP_SECONDS + 2))
        stage.clocks.set(name, 0)

    return change


def pause_worker(stage: Stage, crowd: Crowd, dice: random.Random) -> None:
    """Past its lease: in a fleet a machine until it is taken for gone; alone a worker process, then the service."""
    if isinstance(stage, Fleet):
        stage.pause(dice.choice(stage.drawers), stage.settings["machine_seconds"] + STOP_SECONDS)
        return
    with suppress(psutil.NoSuchProcess):
        worker = dice.choice(stage.workers())
        worker.suspend()
        time.sleep(STOP_SECONDS)
        worker.resume()
    stage.pause(stage.machines[0], STOP_SECONDS)


def deliver_twice(stage: Stage, crowd: Crowd, dice: random.Random) -> None:
    """One task's job three times more, and one of a task that is not there; one request four times at once."""
    order = crowd.place_at_once(4)
    if isinstance(stage, Fleet):
        db = stage.database()
        with writing(db) as connection:
            Calls().call(connection, [(order.uid, "obedient -")] * 3 + [("nobody", "")])
        db.dispose()
    crowd.settle([order])


def poison_plan(stage: Stage, crowd: Crowd, dice: random.Random) -> None:
    """A Plan is changed while its task waits: of a newer version, of an engine that is not there, or no JSON."""
    poison = dice.choice(list(POISONS))
    db = stage.database()
    # What is no JSON, PostgreSQL does not store.
    plan = NO_PLAN if poison == "broken" and db.dialect.name == "postgresql" else POISONS[poison]
    value = "CAST(:plan AS json)" if db.dialect.name == "postgresql" else ":plan"
    change = sa.text(f"UPDATE tasks SET spec = {value} WHERE uid = :uid AND status = 'Queuing'")

    def poisoned() -> bool:
        order = crowd.place("draw 0.1", right=frozenset({UNREADABLE, WELL}))
        with writing(db) as connection:
            hit = connection.execute(change, {"plan": plan, "uid": order.uid}).rowcount == 1
        if hit:
            order.right = frozenset({UNREADABLE})
        crowd.settle([order])
        return hit

    wait_for(poisoned)
    db.dispose()


def talk_nonsense(stage: Stage, crowd: Crowd, dice: random.Random) -> None:
    crowd.settle([crowd.nonsense(), crowd.deadly()])


COMMON = (
    Fault("kill -9 of a worker process", kill_worker),
    Fault("kill -9 of an API", kill_api),
    Fault("kill -9 of everything", kill_everything),
    Fault("storage unreachable for 6 s", no_storage, shown=True),
    Fault("clock set forward", set_clock(1)),
    Fault("clock set back", set_clock(-1)),
    Fault("worker paused past its lease, and continued", pause_worker),
    Fault("two deliveries of one job", deliver_twice),
    Fault("a poisoned Plan", poison_plan),
    Fault("a worker that answers nonsense", talk_nonsense),
)
OF_ALONE = (
    Fault("disk full for 6 s", full_disk, shown=True),
    Fault("database locked by another for 10 s", lock_database, shown=True),
)
OF_FLEET = (
    Fault("kill -9 of a worker machine", kill_machine),
    Fault("PostgreSQL restarted, fast", restart_postgres("fast")),
    Fault("PostgreSQL restarted, immediate", restart_postgres("immediate")),
    Fault("PostgreSQL unreachable for 10 s, connections reset", cut_database, shown=True),
    Fault("PostgreSQL unreachable for 10 s, without a word", hold_database, shown=True),
    Fault("PostgreSQL's disk full for 6 s", full_disk),
    Fault("storage slow for 6 s", slow_storage),
    Fault("storage full for 6 s", full_storage, shown=True),
)


def faults_of(stage: Stage) -> list[Fault]:
    """Those that can happen to it here."""
    found = [*COMMON, *(OF_FLEET if isinstance(stage, Fleet) else OF_ALONE)]
    if stage.disk is None:
        found = [each for each in found if each.do is not full_disk]
    if stage.clocks is None:
        found = [each for each in found if not each.name.startswith("clock")]
    return found
