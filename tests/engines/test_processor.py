"""How many cores an engine may use: those of this process, within what its container has."""

import math
import os
from pathlib import Path

import pytest

from restyle.engines.processor import cores, quota


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds no process to cores")
def test_cores_that_the_process_may_not_run_on_do_not_count() -> None:
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert cores() == 1
    finally:
        os.sched_setaffinity(0, before)
    assert 1 <= cores() <= len(before)


def test_the_least_quota_of_a_control_group_and_those_around_it_counts(tmp_path: Path) -> None:
    own = tmp_path / "house" / "room"
    own.mkdir(parents=True)
    assert quota(tmp_path, "house/room") == math.inf
    (own / "cpu.max").write_text("max 100000\n")
    assert quota(tmp_path, "house/room") == math.inf
    (tmp_path / "house" / "cpu.max").write_text("150000 100000\n")
    assert quota(tmp_path, "house/room") == 1.5
    (own / "cpu.max").write_text("50000 100000\n")
    assert quota(tmp_path, "house/room") == 0.5
    assert quota(tmp_path, "house") == 1.5
