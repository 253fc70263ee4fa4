from dataclasses import replace

from restyle.conversion.metadata import parameters
from restyle.conversion.plan import Plan, PlannedStyle
from restyle.engines.base import Description, Inference

PLAN = Plan(
    model="Obedient",
    family="obedient",
    raw="raw",
    styles=(PlannedStyle("style"),),
    width=640,
    height=480,
    strength=0.7,
    resize_mode="CropAndResize",
    preserve_color=False,
    positive_prompts=("a, b", "c"),
    negative_prompts=("d",),
    translate_prompts=True,
    inference=Inference(),
    files=(),
    seeds=(9,),
    cost=1,
    notices=(),
)


def test_parameters_name_what_the_engine_says_it_used() -> None:
    text = parameters(PLAN, Description("a, b, c", "d", {"Steps": 20, "Sampler": "Euler a"}), 9)
    first, second, last = text.split("\n")
    assert (first, second) == ("a, b, c", "Negative prompt: d")
    assert last.startswith(
        "Steps: 20, Sampler: Euler a, Seed: 9, Size: 640x480, Model: Obedient, Style strength: 0.7, "
        "Resize mode: CropAndResize, Version: "
    )


def test_parameters_do_not_name_what_was_not_used_and_quote_what_would_confuse() -> None:
    code = 'My "model": one, two'
    text = parameters(replace(PLAN, model=code), Description(), 9)
    assert text.count("\n") == 0
    assert 'Model: "My \\"model\\": one, two", Style' in text
    assert "Steps" not in text
    assert "a, b" not in text
