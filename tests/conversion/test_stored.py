"""Plans of this release and of earlier ones are read; whatever else is stored is refused with a sentence."""

import json
from pathlib import Path
from typing import Any

import pytest

from restyle.conversion.plan import Pictures, Plan, plan
from restyle.conversion.registry import Registry
from restyle.conversion.request import Conversion
from restyle.conversion.stored import from_json, to_json
from restyle.settings import Settings
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError
from tests.support.engines import THOROUGH
from tests.support.engines import registry as all_models

FIRST_RELEASE = {
    "model_code": THOROUGH,
    "raw": "inputs/u/0",
    "style": "inputs/u/1",
    "width": 640,
    "height": 480,
    "strength": 0.7,
    "resize_mode": "ResizeAndFill",
    "preserve_color": True,
    "positive_prompts": ["a, b"],
    "negative_prompts": [],
    "translate_prompts": False,
    "inference": {"steps": 12, "sampler": "DDIM", "clip_skip": 2, "cfg_scale": 4.5},
    "adapters": [
        {"code": "ink", "kind": "lora", "weight": -0.5},
        {"code": "charm", "kind": "embedding", "weight": 1.0},
    ],
    "main_model_vae": False,
}
"""What the first release stored, which gave its plans no version."""


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    return all_models(Settings(data_dir=tmp_path_factory.mktemp("stored")))


@pytest.fixture
def planned(registry: Registry) -> Plan:
    asked = {
        "model": {"code": THOROUGH, "parameters": {"steps": 12, "clip_skip": 3}},
        "sub_models": [{"code": "ink", "parameters": {"weight": -0.5}}, {"code": "charm"}],
        "width": 640,
        "height": 480,
        "seed": 2147483647,
        "batch_size": 2,
        "positive_prompts": ["äpfel \U0001f600"],
    }
    return plan(Conversion.read(asked), registry, Pictures("inputs/u/0", "inputs/u/1"))


def read(values: Any, registry: Registry) -> Plan:
    return from_json(json.dumps(values), registry, (3, 4))


def test_a_plan_comes_back_as_it_was(planned: Plan, registry: Registry) -> None:
    assert read(to_json(planned), registry) == planned
    assert planned.seeds == (2147483647, 0)
    assert [file.name for file in planned.files] == ["ink", "charm"]


def test_what_a_later_release_adds_with_the_same_version_is_passed_over(planned: Plan, registry: Registry) -> None:
    assert read({**to_json(planned), "added_later": [1, 2]}, registry) == planned


def test_a_plan_of_the_first_release_is_planned_when_it_is_read(registry: Registry) -> None:
    found = read(FIRST_RELEASE, registry)
    assert (found.model, found.raw, found.styles[0].picture) == (THOROUGH, "inputs/u/0", "inputs/u/1")
    assert (found.width, found.height, found.strength, found.resize_mode) == (640, 480, 0.7, "ResizeAndFill")
    assert (found.positive_prompts, found.translate_prompts, found.preserve_color) == (("a, b",), False, True)
    assert (found.inference.steps, found.inference.sampler, found.inference.cfg_scale) == (12, "DDIM", 4.5)
    assert [(file.name, file.weight) for file in found.files] == [("ink", -0.5), ("charm", 1.0)]
    assert found.seeds == (3, 4)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"version": 2}, "it is of version 2, and this release reads 0, 1"),
        ({"version": "1"}, "version '1'"),
        ({"version": True}, "version True"),
        ({"width": None}, "width"),
        ({"files": [{"role": "telepathy", "sha256": "", "name": ""}]}, "files.0.role"),
        ({"styles": {}}, "styles"),
        ({"inference": {"steps": "many"}}, "inference.steps"),
        ({"width": -5}, "-5 x 480"),
        ({"height": 10**9}, "640 x 1000000000"),
        ({"strength": float("nan")}, "at strength nan"),
        ({"resize_mode": "x"}, "resize_mode"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_sentence(
    planned: Plan, registry: Registry, change: dict[str, Any], reason: str
) -> None:
    with pytest.raises(RestyleError, match="the stored task cannot be read by this release") as caught:
        read({**to_json(planned), **change}, registry)
    assert caught.value.code is Code.INTERNAL_ERROR
    assert reason in caught.value.message


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", '"x"', "[" * 100_000, '{"model_code": "Thorough"}', "{}"])
def test_what_is_no_plan_at_all_is_refused_too(registry: Registry, text: str) -> None:
    with pytest.raises(RestyleError, match="the stored task cannot be read by this release") as caught:
        from_json(text, registry, (1,))
    assert caught.value.code is Code.INTERNAL_ERROR


def test_a_file_that_is_not_on_this_machine_is_named(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(RestyleError) as caught:
        registry.file("0" * 64)
    assert caught.value.code is Code.MODEL_NOT_FOUND
