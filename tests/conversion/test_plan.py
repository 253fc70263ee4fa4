"""What a request asks for is what the engine is asked for, and what the picture says of itself."""

from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from tests.support.engines import SAMPLERS, THOROUGH
from tests.support.service import RunningService, submission

GIVEN = {"Steps": 8, "Sampler": "Euler a", "ClipSkip": 2, "CFGScale": 4.5}


def finished(
    service: RunningService, params: dict[str, Any] | None = None, **changes: Any
) -> tuple[dict[str, Any], list[str]]:
    """The finished task, and the lines of its picture's parameters."""
    model = {"ModelCode": THOROUGH, "InferenceParams": params or {}}
    detail = service.wait(service.submit(MainModel=model, **changes))
    assert detail["Status"] == "Finished", detail
    picture = Image.open(BytesIO(service.http.get(detail["ImgList"][0]).content))
    text: str = picture.info["parameters"]
    return detail, text.split("\n")


def drawn(service: RunningService, params: dict[str, Any] | None = None, **changes: Any) -> tuple[dict[str, Any], str]:
    """The finished task, and the last line of its picture's parameters."""
    detail, lines = finished(service, params, **changes)
    return detail, lines[-1]


def test_parameters_of_the_request_reach_the_engine(service: RunningService) -> None:
    subs = [
        {"ModelCode": "ink", "InferenceParams": {"LoraWeight": -0.5}},
        {"ModelCode": "wash", "InferenceParams": {"LoraWeight": 1.5}},
        {"ModelCode": "charm"},
    ]
    detail, text = drawn(service, GIVEN, SubModelList=subs, UseMainModelVAE=True)
    assert text.startswith(
        "Steps: 8, Sampler: Euler a, CFG scale: 4.5, Clip skip: 2, ink: lora -0.5 of ink, "
        "wash: hypernetwork 1.5 of wash, charm: embedding 1 of charm, Seed: "
    )
    assert detail["Notices"] == ["UseMainModelVAE is not used by Thorough", "drawn in 8 steps"]


def test_what_is_not_given_is_the_models_own_default_and_then_the_pages(service: RunningService) -> None:
    _, text = drawn(service, SubModelList=[{"ModelCode": "ink"}])
    expected = "Steps: 30, Sampler: DDIM, CFG scale: 7.5, Clip skip: 1, ink: lora 0.6 of ink, "
    assert text.startswith(expected)


def test_an_unknown_sampler_is_refused_with_the_list(service: RunningService) -> None:
    model = {"ModelCode": THOROUGH, "InferenceParams": {"Sampler": "Oiler"}}
    answer = service.call("ApplyReferenceStyle", **submission(MainModel=model))
    assert (answer["RetCode"], answer["Field"]) == (230, "MainModel.InferenceParams.Sampler")
    assert 'it is "Oiler"; give one of Euler' in answer["Message"]
    assert all(name in answer["Message"] for name in SAMPLERS)


def test_parameters_without_meaning_for_a_sub_model_are_named(service: RunningService) -> None:
    subs = [
        {"ModelCode": "charm", "InferenceParams": {"LoraWeight": 0.5}},
        {"ModelCode": "ink", "InferenceParams": {"Steps": 9, "LoraWeight": 0.5}},
    ]
    detail, _ = drawn(service, {"LoraWeight": 1}, SubModelList=subs)
    named = [notice.split()[0] for notice in detail["Notices"][:-1]]
    assert named == [
        "MainModel.InferenceParams.LoraWeight",
        "SubModelList[0].InferenceParams.LoraWeight",
        "SubModelList[1].InferenceParams.Steps",
    ]


def test_steps_are_paid_for_where_an_engine_takes_them(service: RunningService) -> None:
    size = {"Width": 1000, "Height": 1000}
    assert drawn(service, {"Steps": 6}, **size)[0]["ConsumeApiPoint"] == 2
    assert drawn(service, {"Steps": 100}, **size)[0]["ConsumeApiPoint"] == 20


@pytest.mark.parametrize(
    ("prompts", "negative", "english", "unwanted", "language"),
    [
        (
            ["客厅，木地板", "(柔和的光线:1.2)"],
            ["模糊"],
            "living room, wooden floor, (soft light:1.2)",
            "blurry",
            "Chinese",
        ),
        (["gemütliches Wohnzimmer, Holzboden"], ["unscharf"], "cozy living room, wooden floor", "blurry", "German"),
    ],
)
def test_prompts_reach_the_engine_in_english(
    service: RunningService, prompts: list[str], negative: list[str], english: str, unwanted: str, language: str
) -> None:
    detail, lines = finished(service, PositivePrompts=prompts, NegativePrompts=negative)
    assert lines[:2] == [english, f"Negative prompt: {unwanted}"]
    assert len([notice for notice in detail["Notices"] if f"from {language}" in notice]) == len(prompts + negative)


def test_prompts_stay_as_they_are_where_that_is_asked_for(service: RunningService) -> None:
    detail, lines = finished(service, PositivePrompts=["客厅"], TranslatePrompts=False)
    assert lines[0] == "客厅"
    assert detail["Notices"] == ["drawn in 30 steps"]
