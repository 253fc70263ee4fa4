from dataclasses import replace

import pytest

from benchmarks.fleet_model import Shape, simulate

LIGHT = Shape(workers=4, tasks_per_second=4, draw_seconds=0.5, tasks=2000)


def test_a_fleet_with_room_draws_at_the_pace_of_its_load() -> None:
    outcome = simulate(LIGHT)
    assert outcome.throughput == pytest.approx(4, rel=0.1)
    assert outcome.busy == pytest.approx(0.5, rel=0.1)


def test_a_fleet_without_room_draws_at_the_pace_of_its_workers() -> None:
    outcome = simulate(replace(LIGHT, tasks_per_second=100))
    assert outcome.throughput == pytest.approx(4 / (0.5 + LIGHT.claim_seconds), rel=0.05)
    assert outcome.busy > 0.98


def test_a_slow_database_is_what_limits_a_large_fleet() -> None:
    slow = replace(LIGHT, workers=100, tasks_per_second=1000, transaction_seconds=0.02, lanes=8)
    outcome = simulate(slow)
    assert outcome.throughput < 0.8 * 100 / 0.5
    assert outcome.database > 0.9


def test_tasks_without_a_checkpoint_wait_for_nobody() -> None:
    few = replace(LIGHT, workers=3, tasks=60, tasks_per_second=20, steady=True, spread=0.0)
    assert simulate(few).seconds == pytest.approx(20 * (0.5 + LIGHT.claim_seconds), rel=0.03)
    assert simulate(replace(few, checkpoints=1)).seconds > 1.1 * simulate(few).seconds  # the first keeps it to itself


def test_cores_that_all_share_are_what_limits_a_fleet_on_one_machine() -> None:
    shared = replace(LIGHT, workers=40, tasks_per_second=1000, cores=2, processor_seconds=0.1)
    assert simulate(shared).throughput == pytest.approx(20, rel=0.05)
    assert simulate(replace(shared, cores=0)).throughput > 50


def test_affinity_saves_loads_and_starves_nobody() -> None:
    mixed = replace(LIGHT, workers=8, checkpoints=4, load_seconds=2, tasks_per_second=2, tasks=1000)
    kept, eager = simulate(mixed), simulate(replace(mixed, affinity_seconds=0))
    assert kept.loads < 0.5 * eager.loads
    assert kept.wait(1) < eager.wait(1) + mixed.affinity_seconds + mixed.load_seconds
