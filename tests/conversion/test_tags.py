"""Sub-models that a prompt names."""

from pathlib import Path
from typing import Any

import pytest

from restyle.conversion.models import MainModel, SubModel
from restyle.conversion.plan import Pictures, plan
from restyle.conversion.registry import Registry
from restyle.conversion.request import Conversion
from restyle.conversion.tags import tagged
from restyle.engines.base import Role
from restyle.engines.diffusion.family import FAMILY
from restyle.models.catalogue import Entry
from restyle.models.kinds import Architecture, Kind
from restyle.settings import Settings


def entry(path: Path, code: str, kind: Kind, architecture: Architecture = Architecture.SD15, **more: Any) -> Entry:
    path.touch()
    return Entry(code, code, kind, architecture, path, "safetensors", code, 1, **more)


@pytest.fixture
def main(tmp_path: Path) -> MainModel:
    return MainModel("m", "m", FAMILY, entry=entry(tmp_path / "m", "m", Kind.MAIN))


@pytest.fixture
def subs(tmp_path: Path) -> list[SubModel]:
    return [
        SubModel(entry(tmp_path / "ink", "Ink wash", Kind.LORA, defaults={"LoraWeight": 0.6})),
        SubModel(entry(tmp_path / "xl", "large", Kind.LORA, Architecture.SDXL)),
        SubModel(entry(tmp_path / "h", "wash", Kind.HYPERNETWORK)),
    ]


@pytest.mark.parametrize(
    ("prompt", "left", "used", "told"),
    [
        ("a fox", "a fox", [], ""),
        ("a fox <lora:Ink wash:0.8>, big", "a fox, big", [("Ink wash", 0.8)], ""),
        ("<LORA:ink WASH>", "", [("Ink wash", 0.6)], ""),
        ("a <lora:Ink wash:.5:.5> b <hypernet:wash>", "a b", [("Ink wash", 0.5), ("wash", 1)], ""),
        ("a <lyco:Ink wash:te=1:unet=1>", "a", [("Ink wash", 1)], ""),
        ("a <lora:ink:1>", "a", [], "no lora has the ModelCode 'ink'"),
        ("a <lora:wash:1>", "a", [], "no lora has the ModelCode 'wash'"),
        ("a <lora:large:1>", "a", [], "made for SDXL"),
        ("a <lora:Ink wash:0.5:1>", "a", [], "different weights"),
        ("a <lora:Ink wash:9>", "a", [], "its weight is 9; give one from -1 to 2"),
        ("a <lora:Ink wash:much>", "a", [], "'much' is no weight"),
        ("a <i> <other:x:1>", "a <i> <other:x:1>", [], ""),
    ],
)
def test_tags(
    main: MainModel, subs: list[SubModel], prompt: str, left: str, used: list[tuple[str, float]], told: str
) -> None:
    found = tagged([prompt], {sub.code: sub for sub in subs}, main, act=True)
    assert found.prompts == (left,)
    assert [(sub.code, weight) for sub, weight in found.subs] == used
    assert len(found.notices) == bool(told)
    assert all(told in notice for notice in found.notices)


def test_a_plan_draws_with_them(main: MainModel, subs: list[SubModel], tmp_path: Path) -> None:
    registry = Registry(Settings(data_dir=tmp_path / "data"), main=[main], sub=subs)
    conversion = Conversion.read(
        {
            "model": {"code": "m", "parameters": {"sampler": "k_euler_a"}},
            "sub_models": [{"code": "wash"}],
            "positive_prompts": ["a fox <lora:Ink wash:0.8>"],
            "negative_prompts": ["dull <lora:Ink wash:1>"],
        }
    )
    found = plan(conversion, registry, Pictures("raw", "style", (64, 64)))
    weighed = [
        (file.role, file.name, file.weight) for file in found.files if file.role in (Role.LORA, Role.HYPERNETWORK)
    ]
    assert weighed == [(Role.HYPERNETWORK, "wash", 1.0), (Role.LORA, "Ink wash", 0.8)]
    assert (found.positive_prompts, found.negative_prompts) == (("a fox",), ("dull",))
    assert any("tags act in positive prompts only" in notice for notice in found.notices)
    assert found.inference.sampler == "Euler a"
