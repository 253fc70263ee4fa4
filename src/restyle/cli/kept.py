"""The options of the command that a kept style has, too: what is not given here is the style's."""

from typing import Annotated, Any

import typer

from restyle.cli.complete import models, samplers, sub_models
from restyle.wire.names import DEFAULT_MODEL

Strength = Annotated[
    float | None,
    typer.Option(
        help="0 keeps the photograph, 1 is the style at its fullest.", show_default="the kept style's, else 0.5"
    ),
]
PreserveColor = Annotated[
    bool | None,
    typer.Option("--preserve-color/--no-preserve-color", help="Keep the photograph's colours.", show_default=False),
]
Model = Annotated[
    str | None,
    typer.Option(
        help="ModelCode of the model that draws.",
        autocompletion=models,
        show_default=f"the kept style's, else {DEFAULT_MODEL}",
    ),
]
Prompt = Annotated[list[str] | None, typer.Option(help="What should appear. May be repeated.")]
Negative = Annotated[list[str] | None, typer.Option(help="What should not appear. May be repeated.")]
Translate = Annotated[
    bool | None, typer.Option("--translate/--no-translate", help="Translate prompts into English.", show_default="yes")
]
SubModels = Annotated[
    list[str] | None,
    typer.Option(
        "--sub-model",
        help="ModelCode of a LoRA, embedding or hypernetwork, or CODE=WEIGHT. May be repeated.",
        autocompletion=sub_models,
    ),
]
Steps = Annotated[int | None, typer.Option(help="Steps, 6 to 100.", show_default="the model's")]
Sampler = Annotated[
    str | None, typer.Option(help="Sampler, by name.", show_default="the model's", autocompletion=samplers)
]
ClipSkip = Annotated[int | None, typer.Option(help="CLIP skip, 1 to 12.", show_default="the model's")]
CfgScale = Annotated[float | None, typer.Option(help="Guidance, 1 to 30.", show_default="the model's")]
MainModelVae = Annotated[
    bool | None,
    typer.Option("--main-model-vae/--no-main-model-vae", help="Use the model's own VAE.", show_default=False),
]

OPTIONS = {
    "prompt": "positive_prompts",
    "negative": "negative_prompts",
    "translate": "translate_prompts",
    "main_model_vae": "use_main_model_vae",
    "sub": "sub_models",
}
"""Argument of the command -> of the library, where it is called otherwise."""


def given(*, sub: list[str] | None, **values: Any) -> dict[str, Any]:
    """Those of the options that are given, as the library calls them."""
    values["sub"] = [weighted(text) for text in sub or ()]
    return {OPTIONS.get(name, name): value for name, value in values.items() if value not in (None, [])}


def weighted(text: str) -> dict[str, Any]:
    """``CODE`` or ``CODE=WEIGHT`` as the wire's Model. Raises BadParameter where the weight is no number."""
    code, equals, weight = text.rpartition("=")
    if not equals:
        return {"ModelCode": text}
    try:
        return {"ModelCode": code, "InferenceParams": {"LoraWeight": float(weight)}}
    except ValueError:
        raise typer.BadParameter(f'"{weight}" is not a weight; give CODE=WEIGHT, such as "Ink=0.8"') from None
