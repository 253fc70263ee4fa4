"""What engines say of themselves is known without loading one."""

import subprocess
import sys
from pkgutil import resolve_name

import pytest

from restyle.engines.base import Family
from restyle.engines.families import FAMILIES

HEAVY = ("torch", "openvino", "diffusers", "transformers", "scipy", "h5py", "PIL")


def test_the_list_of_families_imports_nothing_heavy() -> None:
    check = f"import sys, restyle.engines.families; print([name for name in {HEAVY} if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_names_and_models_are_each_once() -> None:
    models = [family.model for family in FAMILIES if family.model]
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)
    assert len(set(models)) == len(models)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_family_names_a_function_and_draws_something(family: Family) -> None:
    assert callable(resolve_name(family.load))
    assert family.model or family.architectures
    assert family.price > 0
    assert bool(family.libraries) is bool(family.install)
