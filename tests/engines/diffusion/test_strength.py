"""The table of recipes: whole, monotone where the strength moves it, and overridden by a model's own."""

from typing import Any

import numpy as np
import pytest

from restyle.engines.diffusion import strength
from restyle.engines.diffusion.samplers import SAMPLERS, Schedule, trained
from restyle.engines.diffusion.strength import COLUMNS, INJECTION, IP_ADAPTER, ROUTES, at, checked, row
from restyle.wire.errors import RestyleError
from tests.support.checkpoints import SCHEDULER
from tests.support.studio import Studio

WAYS = [(base, route, control) for base in ("sd15", "sdxl") for route in ROUTES for control in ("", "tile", "canny")]


@pytest.mark.parametrize(("base", "route", "control"), WAYS)
def test_every_way_to_draw_has_a_whole_table(base: str, route: str, control: str) -> None:
    table = row(base, route, control)
    assert checked({name: value for name, value in table.items() if name != "inversion_steps" or value}) is not None
    for name in COLUMNS:
        steps = np.diff(table[name])
        assert (steps >= 0).all() or (steps <= 0).all(), name
    none = at(0, base, route, control)
    assert (none.denoise, none.given_back) == (0, 1)


def test_every_number_has_its_source() -> None:
    found = list(strength.sources())
    assert len(found) > 40
    assert all(source.strip().endswith((".", "?")) for _, _, _, source in found)


def test_the_strength_lies_between_the_numbers_and_may_be_spaced_anew() -> None:
    table = row("sdxl", IP_ADAPTER)["style"]
    assert at(0.375, "sdxl", IP_ADAPTER).style == pytest.approx((table[1] + table[2]) / 2)
    own = {"spacing": [0, 0.25, 1]}
    assert at(0.5, "sdxl", IP_ADAPTER, own=own) == at(0.25, "sdxl", IP_ADAPTER)
    assert at(1, "sdxl", IP_ADAPTER, own=own).style == table[-1]


def test_a_models_own_numbers_win_where_they_are_meant() -> None:
    own = {"cfg_most": 1.5, INJECTION: {"gamma": [1, 1, 1, 1, 1], "tile": {"control": [2, 2, 2, 2, 2]}}}
    assert at(0.5, "sd15", INJECTION, "tile", own).control == 2
    assert at(0.5, "sd15", INJECTION, "canny", own).control != 2
    assert at(0.5, "sd15", INJECTION, own=own).gamma == 1
    assert at(0.5, "sd15", INJECTION, own=own).cfg_most == 1.5
    assert at(0.5, "sd15", IP_ADAPTER, own=own).style == at(0.5, "sd15", IP_ADAPTER).style


@pytest.mark.parametrize(
    ("own", "reason"),
    [
        ({"gamma": [1, 1]}, "recipe.gamma: give numbers from 0 to 1 for the strengths 0, 0.25, 0.5, 0.75, 1"),
        ({INJECTION: {"denoise": [0, 0, 0, 0, 2]}}, "recipe.injection.denoise: give numbers from 0 to 1"),
        ({INJECTION: {"tile": {"control": "much"}}}, "recipe.injection.tile.control: give numbers from 0 to 2"),
        ({"magic": 1}, "recipe: give one of ip-adapter, injection, denoise"),
        ({INJECTION: 1}, "recipe.injection: give a table"),
        ({"spacing": [0, 0.5]}, "recipe.spacing: give numbers that rise from 0 to 1"),
        ({"timesteps": [249, 999]}, "recipe.timesteps: give whole numbers from 999 to 0 that fall"),
        ({"steps_least": 0}, "recipe.steps_least: give a whole number from 1 to 100"),
        ({"steps_least": True}, "recipe.steps_least: give a whole number"),
        ({"blocks": []}, "recipe.blocks: give a list"),
    ],
)
def test_what_a_model_says_wrongly_is_named(own: dict[str, Any], reason: str) -> None:
    for attempt in (lambda: checked(own), lambda: at(0.5, "sd15", INJECTION, "tile", own)):
        with pytest.raises(RestyleError, match=reason):
            attempt()


def test_a_few_step_model_is_drawn_at_the_timesteps_it_was_trained_at() -> None:
    timesteps = (999, 749, 499, 249)
    assert trained(timesteps, 1.0) == timesteps
    assert trained(timesteps, 0.6) == (499, 249)
    assert trained(timesteps, 0.1) == (249,)
    for name in ("Euler trailing", "LCM", "TCD"):
        options: dict[str, Any] = {"steps": 20, "denoise": 0.6, "seed": 1, "device": "cpu", "timesteps": timesteps}
        schedule = Schedule(SAMPLERS[name], SCHEDULER, **options)
        assert [int(each) for each in schedule.timesteps] == [499, 249], name
        with pytest.raises(RestyleError, match="cannot be held to the timesteps"):
            Schedule(SAMPLERS["DPM++ SDE Karras"], SCHEDULER, **options)


def test_trailing_timesteps_begin_at_the_very_end() -> None:
    schedule = Schedule(SAMPLERS["Euler trailing"], SCHEDULER, steps=4, denoise=1.0, seed=1, device="cpu")
    assert [round(float(each)) for each in schedule.timesteps] == [999, 749, 499, 249]


def test_guidance_of_injection_is_held_and_said(studio: Studio) -> None:
    found = studio.describe("sd15 folder", cfg_scale=7.5, negative_prompts=("blurry",))
    assert found.parameters["CFG scale"] == "2"
    assert any("CFG scale 7.5 is held to 2" in notice for notice in found.notices)
    assert not [notice for notice in studio.describe("sd15 folder", cfg_scale=1.5).notices if "held" in notice]


def test_equal_sides_of_guidance_are_evaluated_once(studio: Studio) -> None:
    """The same words on both sides: the picture of no guidance, at its price."""
    counts: list[int] = []
    drawn = []
    for scale in (2.0, 1.0):
        seen: list[float] = []
        options: dict[str, Any] = {"positive_prompts": (), "cfg_scale": scale, "seeds": (9,)}
        drawn.append(studio.draw("sd15 folder", seen.append, **options))
        counts.append(len(seen))
    assert np.array_equal(drawn[0], drawn[1])
    assert counts[1] <= counts[0]


def test_a_control_acts_in_the_first_part_of_the_steps() -> None:
    schedule = Schedule(SAMPLERS["Euler"], SCHEDULER, steps=10, denoise=1.0, seed=1, device="cpu")
    laid = [float(each) for each in schedule.timesteps]
    assert schedule.until(1.0) == laid[-1]
    assert schedule.until(0.6) == laid[5]
    assert schedule.until(0.0) == laid[0]
