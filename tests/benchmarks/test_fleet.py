import pytest

from benchmarks.fleet import claims
from benchmarks.fleet_side import Step


def test_a_claim_takes_from_when_machine_and_task_were_both_there() -> None:
    steps = [Step(1, 0.0, 0.2, 1.0), Step(2, 0.1, 0.2, 0.9), Step(1, 0.5, 1.3, 2.0), Step(2, 1.5, 1.6, 2.5)]
    assert claims(steps) == pytest.approx([0.2, 0.1, 0.3, 0.1])
