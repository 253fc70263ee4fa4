import pytest

from restyle.conversion.defaults import checked_defaults
from restyle.models.kinds import Kind
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError


def test_defaults_keep_the_wires_ranges() -> None:
    given = {"Steps": 20, "ClipSkip": 2, "CFGScale": 7}
    assert checked_defaults(Kind.MAIN, given) == given
    assert checked_defaults(Kind.HYPERNETWORK, {"LoraWeight": 0.5}) == {"LoraWeight": 0.5}
    for wrong in ({"Steps": 5}, {"ClipSkip": 13}, {"CFGScale": 0.5}):
        with pytest.raises(RestyleError, match=next(iter(wrong))) as caught:
            checked_defaults(Kind.MAIN, wrong)
        assert caught.value.code is Code.PARAMETER_NOT_AVAILABLE


def test_a_default_sampler_is_one_of_the_table() -> None:
    assert checked_defaults(Kind.MAIN, {"Sampler": "Euler a"}) == {"Sampler": "Euler a"}
    with pytest.raises(RestyleError, match=r'it is "Eule"; give one of Euler, '):
        checked_defaults(Kind.MAIN, {"Sampler": "Eule"})
