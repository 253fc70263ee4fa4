import pytest

from restyle.conversion.defaults import checked_defaults, checked_recipe
from restyle.conversion.plan import check_steps
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


def test_a_recipe_may_allow_fewer_steps() -> None:
    recipe = checked_recipe(Kind.MAIN, "sdxl", {"steps_least": 1, "timesteps": [999, 749, 499, 249]})
    assert recipe == {"steps_least": 1, "timesteps": [999, 749, 499, 249]}
    assert checked_defaults(Kind.MAIN, {"Steps": 4}, recipe) == {"Steps": 4}
    with pytest.raises(RestyleError, match="Steps not available: it is 4; give an Int from 6 to 100"):
        checked_defaults(Kind.MAIN, {"Steps": 4}, {})
    check_steps(1, recipe, "Steps")
    with pytest.raises(RestyleError, match="parameter Steps not available: it is 5; give an Int from 6 to 100"):
        check_steps(5, {}, "Steps")


def test_only_a_checkpoint_has_a_recipe() -> None:
    with pytest.raises(RestyleError, match="it means nothing to a model of kind lora"):
        checked_recipe(Kind.LORA, "sd15", {"steps_least": 1})
    with pytest.raises(RestyleError, match="recipe: give one of ip-adapter, injection"):
        checked_recipe(Kind.MAIN, "sd15", {"magic": 1})
