"""Tasks live as the model says, in whatever order things befall them, on every back end."""

from pathlib import Path

import sqlalchemy as sa

from tests.support.house import House
from tests.support.life import live


def test_tasks_live_as_the_model_says(db: sa.Engine, tmp_path: Path) -> None:
    live(House(db, tmp_path / "data", task_attempts=2), examples=6, steps=25)
