"""The embedded default under faults that only processes of their own show: the short form of ``make soak``."""

from pathlib import Path

import pytest

from benchmarks.soak import faults
from benchmarks.soak.run import soak
from benchmarks.soak.stage import Alone
from tests.support.patience import wait_for

HERE = (
    faults.full_disk,
    faults.lock_database,
    faults.pause_worker,
    faults.deliver_twice,
    faults.poison_plan,
)
"""Those that no other test injects; ``clock`` besides."""


def test_one_service_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every task ends once for its client, credits add up, no orphan is left, every picture is whole, and ``/readyz``
    tells the truth."""
    monkeypatch.setattr(faults, "last", lambda stage, _, **__: wait_for(stage.told))  # however busy the machine is
    monkeypatch.setattr(faults, "STOP_SECONDS", 1)
    stage = Alone(tmp_path / "stage", workers=1)
    try:
        stage.open()
        chosen = [each for each in faults.faults_of(stage) if each.do in HERE or each.name.startswith("clock")]
        account = soak(stage, chosen, 1, 15, print, most=2)
    finally:
        stage.close()
    assert account.well, account
    assert account.faults == len(chosen)
    assert account.accepted > account.faults
    assert account.pictures >= account.finished > 0
