from typing import Any

import pytest

from restyle.images.fit import ResizeMode
from restyle.wire.answers import Answer
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError
from restyle.wire.fields import Limits
from restyle.wire.ranges import RESIZE_MODES
from restyle.wire.schema import ApplyReferenceStyle, ListTasksDetails

LEAST: dict[str, Any] = {
    "Action": "ApplyReferenceStyle",
    "PublicKey": "p",
    "Signature": "s",
    "MainModel": {"ModelCode": "m"},
    "RawImageIndex": 0,
    "StyleImageIndex": 1,
    "ImageList": ["a", "b"],
}


def fault(changes: dict[str, Any], limits: Limits | None = None) -> RestyleError:
    with pytest.raises(RestyleError) as caught:
        ApplyReferenceStyle.read({**LEAST, **changes}, limits)
    return caught.value


def test_what_is_not_given_has_the_documented_default() -> None:
    request = ApplyReferenceStyle.read(LEAST)
    assert (request.Seed, request.Width, request.Height, request.BatchSize) == (-1, 1024, 1024, 1)
    assert (request.StyleReferStrength, request.ResizeMode) == (0.5, "CropAndResize")
    assert (request.TranslatePrompts, request.UseMainModelVAE, request.PreserveColor) == (True, False, False)
    assert request.KeepAlpha is False
    assert (request.SubModelList, request.PositivePrompts, request.NegativePrompts) == ([], [], [])
    assert request.MainModel is not None
    params = request.MainModel.InferenceParams
    assert (params.Steps, params.Sampler, params.ClipSkip, params.CFGScale, params.LoraWeight) == (
        10,
        "Euler",
        1,
        7.5,
        1,
    )
    assert params.given() == []


def test_null_is_not_given() -> None:
    nulls = {"Seed": None, "SubModelList": None, "request_uuid": None, "MainModel": {"ModelCode": "m", "Name": None}}
    assert ApplyReferenceStyle.read({**LEAST, **nulls}) == ApplyReferenceStyle.read(LEAST)


@pytest.mark.parametrize("field", ["MainModel", "RawImageIndex", "StyleImageIndex", "ImageList"])
def test_a_required_field_is_missing_when_it_is_null_too(field: str) -> None:
    for body in ({name: value for name, value in LEAST.items() if name != field}, {**LEAST, field: None}):
        with pytest.raises(RestyleError) as caught:
            ApplyReferenceStyle.read(body)
        assert caught.value.code is Code.MISSING_PARAMETER
        assert caught.value.field == field


def test_a_missing_field_is_named_before_a_wrong_one() -> None:
    assert fault({"Width": 5, "MainModel": {}}).field == "MainModel.ModelCode"


@pytest.mark.parametrize(
    ("field", "low", "high"),
    [("Seed", -1, 2147483647), ("Width", 64, 2560), ("Height", 64, 2560), ("BatchSize", 1, 16)],
)
def test_an_int_keeps_its_range(field: str, low: int, high: int) -> None:
    for value in (low, high, float(low)):
        assert getattr(ApplyReferenceStyle.read({**LEAST, field: value}), field) == value
    wrong: list[Any] = [low - 1, high + 1, low + 0.5, str(low), True, [low], {}, 1e300, -(10**400)]
    for each in wrong:
        found = fault({field: each})
        assert (found.code, found.field) == (Code.PARAMETER_NOT_AVAILABLE, field)
        assert f"give an Int from {low} to {high}" in found.message
        assert len(found.message) < 200


@pytest.mark.parametrize("value", [-0.01, 1.01, "0.5", True, False, [], 10**400])
def test_the_strength_keeps_its_range(value: object) -> None:
    found = fault({"StyleReferStrength": value})
    assert (found.code, found.field) == (Code.PARAMETER_NOT_AVAILABLE, "StyleReferStrength")
    assert "give a Float from 0 to 1" in found.message


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"MainModel": "m"}, "MainModel"),
        ({"MainModel": {"ModelCode": 5}}, "MainModel.ModelCode"),
        ({"MainModel": {"ModelCode": "m", "InferenceParams": []}}, "MainModel.InferenceParams"),
        ({"MainModel": {"ModelCode": "m", "InferenceParams": {"Steps": 0}}}, "MainModel.InferenceParams.Steps"),
        ({"MainModel": {"ModelCode": "m", "InferenceParams": {"Sampler": 1}}}, "MainModel.InferenceParams.Sampler"),
        ({"SubModelList": [{"ModelCode": "a"}, 7]}, "SubModelList[1]"),
        (
            {"SubModelList": [{"ModelCode": "a", "InferenceParams": {"LoraWeight": 2.5}}]},
            "SubModelList[0].InferenceParams.LoraWeight",
        ),
        ({"PositivePrompts": "a"}, "PositivePrompts"),
        ({"NegativePrompts": ["a", 1]}, "NegativePrompts[1]"),
        ({"PositivePrompts": ["a\0"]}, "PositivePrompts[0]"),
        ({"ImageList": []}, "ImageList"),
        ({"ImageList": ["a", None]}, "ImageList[1]"),
        ({"RawImageIndex": 2}, "RawImageIndex"),
        ({"StyleImageIndex": 99}, "StyleImageIndex"),
        ({"RawImageIndex": -1}, "RawImageIndex"),
        ({"ResizeMode": "cropandresize"}, "ResizeMode"),
        ({"request_uuid": "x" * 129}, "request_uuid"),
        ({"request_uuid": "\n"}, "request_uuid"),
        ({"TranslatePrompts": "true"}, "TranslatePrompts"),
    ],
)
def test_the_field_at_fault_is_named_by_its_path(changes: dict[str, Any], field: str) -> None:
    found = fault(changes)
    assert (found.code, found.field) == (Code.PARAMETER_NOT_AVAILABLE, field)
    assert field in found.message


def test_an_index_outside_the_list_says_how_long_the_list_is() -> None:
    assert "ImageList holds 2 images; give an Int from 0 to 1" in fault({"StyleImageIndex": 2}).message


def test_operators_limits_hold_instead_of_the_documented_ones() -> None:
    tight = Limits(images=1, prompts=1, prompt_length=3)
    assert fault({}, tight).field == "ImageList"
    assert fault({"ImageList": ["a"], "PositivePrompts": ["a", "b"]}, tight).field == "PositivePrompts"
    assert "the most is 3" in fault({"ImageList": ["a"], "NegativePrompts": ["abcd"]}, tight).message


def test_a_long_value_is_shortened_in_the_message() -> None:
    assert len(fault({"ResizeMode": "x" * 10_000}).message) < 250


def test_a_model_from_list_models_may_be_passed_back_whole() -> None:
    shown: dict[str, Any] = {
        "Name": "n",
        "ModelCode": "m",
        "IsOfficial": True,
        "TriggerWordList": [],
        "InferenceParams": {},
        "New": 1,
    }
    model = ApplyReferenceStyle.read({**LEAST, "MainModel": shown}).MainModel
    assert model is not None
    assert model.InferenceParams.given() == []


def test_unknown_fields_are_ignored() -> None:
    assert ApplyReferenceStyle.read({**LEAST, "Tomorrow": [1]}) == ApplyReferenceStyle.read(LEAST)


@pytest.mark.parametrize("uids", [[], ["a"] * 101, "a", [1], [None]])
def test_the_list_of_tasks_has_1_to_100_strings(uids: Any) -> None:
    with pytest.raises(RestyleError) as caught:
        ListTasksDetails.read({"Action": "ListTasksDetails", "PublicKey": "p", "Signature": "s", "TaskUIDList": uids})
    assert caught.value.code is Code.PARAMETER_NOT_AVAILABLE
    assert (caught.value.field or "").startswith("TaskUIDList")


def test_resize_modes_are_those_of_the_pictures() -> None:
    assert set(RESIZE_MODES) == {mode.value for mode in ResizeMode}


def test_an_answer_leaves_out_what_does_not_apply() -> None:
    assert Answer(Action="A").json_bytes() == b'{"RetCode":0,"Action":"A","Message":""}'
    full = Answer(RetCode=230, Action="A", Message="m", request_uuid="u", fault="Width").json_bytes()
    assert full == b'{"RetCode":230,"Action":"A","Message":"m","request_uuid":"u","Field":"Width"}'
