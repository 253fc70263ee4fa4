"""The state machine of the suite, for much longer."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from restyle.database import open_database
from restyle.queue.cluster.membership import Membership
from tests.support.databases import postgres_cluster, postgres_database
from tests.support.house import House
from tests.support.life import live

STEPS = 60


@dataclass(frozen=True, slots=True)
class Lives:
    """``wrong`` is what the first that differed from the model came to, empty where none did."""

    stage: str
    seed: int
    examples: int
    steps: int
    seconds: float
    wrong: str

    @property
    def well(self) -> bool:
        return not self.wrong


def lives(name: str, examples: int, seed: int) -> Lives:
    """So many lives on the back end of that name."""
    began, wrong = time.monotonic(), ""
    with tempfile.TemporaryDirectory(prefix="restyle-soak-") as folder, _database(name, Path(folder)) as db:
        try:
            live(House(db, Path(folder) / "data", task_attempts=2), examples, STEPS, chance=seed)
        except Exception as error:  # noqa: BLE001 - whatever differs is what this looks for
            wrong = repr(error)
    return Lives(name, seed, examples, STEPS, time.monotonic() - began, wrong)


@contextmanager
def _database(name: str, folder: Path) -> Iterator[sa.Engine]:
    if name == "embedded":
        db = open_database(f"sqlite:///{folder / 'data' / 'restyle.sqlite3'}")
        yield db
        db.dispose()
        return
    with postgres_cluster() as cluster, postgres_database(cluster) as url:
        db = open_database(url)
        memberships: list[Membership] = []
        db.update_execution_options(restyle_fleet=memberships)
        yield db
        for each in memberships:
            each.release()
        db.dispose()
