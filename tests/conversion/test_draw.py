"""What a process lets its engines use."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from restyle.conversion.draw import machine_of
from restyle.engines.processor import cores
from restyle.settings import Settings
from tests.support.command import PYTHONPATH

TOLD = """
import os
from restyle.conversion.draw import Drawer
from restyle.settings import Settings
Drawer(Settings(), own_process={own})
print(*(os.environ.get(name) for name in ("OMP_WAIT_POLICY", "HF_HUB_OFFLINE")))
"""


def test_processes_that_draw_beside_each_other_share_the_cores(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, threads=0)
    assert machine_of(settings, own_process=True).threads == cores()
    assert machine_of(settings, own_process=True, processes=2 * cores()).threads == 1
    told = Settings(data_dir=tmp_path, threads=7)
    assert machine_of(told, own_process=True, processes=2).threads == 7


@pytest.mark.parametrize(
    ("own", "given", "told"),
    [(True, {}, "PASSIVE 1"), (True, {"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE 1"), (False, {}, "None None")],
    ids=["own", "the operator's word stands", "someone else's"],
)
def test_threads_that_wait_sleep_in_processes_of_our_own(
    own: bool, given: dict[str, str], told: str, tmp_path: Path
) -> None:
    environment = {
        name: value for name, value in os.environ.items() if name not in ("OMP_WAIT_POLICY", "HF_HUB_OFFLINE")
    }
    ran = subprocess.run(
        [sys.executable, "-c", TOLD.format(own=own)],
        env={**environment, **given, "PYTHONPATH": PYTHONPATH, "RESTYLE_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == told
