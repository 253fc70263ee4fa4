"""The wire's door: what a request comes to in Restyle's own terms, and back to the wire's names."""

from typing import Any

import pytest

from restyle.conversion.request import Conversion
from restyle.http.conversion import asked, wire_name
from restyle.wire.fields import FieldPath, Limits
from restyle.wire.names import FIELDS
from restyle.wire.schema import ApplyReferenceStyle


def request(limits: Limits | None = None, **fields: Any) -> ApplyReferenceStyle:
    body = {
        "Action": "ApplyReferenceStyle",
        "PublicKey": "p",
        "Signature": "s",
        "MainModel": {"ModelCode": "x"},
        "RawImageIndex": 0,
        "StyleImageIndex": 1,
        "ImageList": ["a", "b"],
        **fields,
    }
    return ApplyReferenceStyle.read(body, limits)


def test_what_is_not_given_is_the_pages_default() -> None:
    found = asked(request())
    assert (found.width, found.height, found.strength, found.seed, found.batch_size) == (1024, 1024, 0.5, -1, 1)
    assert found.model.parameters.given() == []


def test_every_field_arrives_under_its_own_name() -> None:
    found = asked(
        request(
            MainModel={"ModelCode": "x", "InferenceParams": {"Steps": 9, "CFGScale": 4}},
            SubModelList=[{"ModelCode": "ink", "InferenceParams": {"LoraWeight": -0.5}}],
            StyleReferStrength=1,
            Width=64,
            Height=2560,
            ResizeMode="JustResize",
            PreserveColor=True,
            KeepAlpha=True,
            Seed=2147483647,
            BatchSize=16,
            PositivePrompts=["a"],
            NegativePrompts=["b"],
            TranslatePrompts=False,
            UseMainModelVAE=True,
            ControlType="depth",
        )
    )
    assert found.model.parameters.given() == ["steps", "cfg_scale"]
    assert (found.sub_models[0].code, found.sub_models[0].parameters.weight) == ("ink", -0.5)
    values = found.model_dump(exclude={"model", "sub_models"})
    assert values == {
        "strength": 1,
        "width": 64,
        "height": 2560,
        "resize_mode": "JustResize",
        "preserve_color": True,
        "keep_alpha": True,
        "seed": 2147483647,
        "batch_size": 16,
        "positive_prompts": ["a"],
        "negative_prompts": ["b"],
        "translate_prompts": False,
        "use_main_model_vae": True,
        "control_type": "depth",
    }


def test_no_part_of_a_conversion_is_left_without_a_name() -> None:
    assert set(FIELDS) == set(Conversion.model_fields)


def test_limits_that_an_operator_raised_hold_all_the_way() -> None:
    limits = Limits(prompts=60, prompt_length=3000)
    found = asked(request(limits, PositivePrompts=["x" * 2500] * 55))
    assert len(found.positive_prompts) == 55


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (("model", "code"), "MainModel.ModelCode"),
        (("model", "parameters", "steps"), "MainModel.InferenceParams.Steps"),
        (("sub_models", 3, "parameters", "weight"), "SubModelList[3].InferenceParams.LoraWeight"),
        (("use_main_model_vae",), "UseMainModelVAE"),
        (("control_image",), "ControlImageIndex"),
    ],
)
def test_a_field_is_called_as_the_request_calls_it(parts: FieldPath, name: str) -> None:
    assert wire_name(parts) == name
