"""What is asked for: one conversion, in Restyle's own terms and in no door's.

The wire, the library, the command and the page each turn their own form into a :class:`Conversion`. Ranges and defaults
are those of :mod:`restyle.wire.ranges`; ``Conversion.model_json_schema()`` is the same for whoever draws a form.
"""

import sys
from typing import Annotated

from pydantic import ConfigDict, Field

from restyle.wire.fields import ControlType, Fields, Filled, Limits, Prompts, Resize, whole
from restyle.wire.ranges import (
    BATCH_SIZE,
    CFG_SCALE,
    CLIP_SKIP,
    FEWEST_STEPS,
    RESIZE_MODE,
    SEED,
    SIDE,
    STEPS,
    STRENGTH,
    WEIGHT,
)

CHECKED = Limits(images=sys.maxsize, prompts=sys.maxsize, prompt_length=sys.maxsize)
"""For :meth:`Conversion.read` behind a door that has held an operator's own limits already."""


class Parameters(Fields):
    """How a model is run. None is the model's own default."""

    model_config = ConfigDict(extra="forbid")

    steps: Annotated[
        int | None,
        STEPS.field("Sampling steps; a model made for few takes fewer, if its entry says so.", from_=FEWEST_STEPS),
        whole,
    ] = None
    sampler: Annotated[str | None, Field(description="Sampler, by its name in the Stable Diffusion WebUI.")] = None
    clip_skip: Annotated[int | None, CLIP_SKIP.field("Layer of CLIP, counted from the end, to read."), whole] = None
    cfg_scale: Annotated[float | None, CFG_SCALE.field("Guidance scale.")] = None
    weight: Annotated[float | None, WEIGHT.field("Weight of a sub-model.")] = None

    def given(self) -> list[str]:
        """Names of the parameters that are given, in the order declared."""
        return [name for name in type(self).model_fields if getattr(self, name) is not None]


class ModelChoice(Fields):
    """A model and how to run it."""

    model_config = ConfigDict(extra="forbid")

    code: Annotated[Filled, Field(description="The ModelCode.")]
    parameters: Annotated[Parameters, Field(default_factory=Parameters, description="How it is run.")]


class Conversion(Fields):
    """A conversion of one raw image in one style. The pictures themselves go beside it.

    ``width`` and ``height`` are in pixels; None follows the raw image. ``seed`` is -1 (one is drawn) or the first of
    the batch, whose image *i* uses ``seed + i``.
    """

    model_config = ConfigDict(extra="forbid")

    model: Annotated[ModelChoice, Field(description="The main model.")]
    sub_models: Annotated[list[ModelChoice], Field(default=[], description="LoRAs, embeddings and hypernetworks.")]
    strength: Annotated[float, STRENGTH.field("0 keeps the raw image, 1 is the style at its fullest.")] = (
        STRENGTH.default
    )
    width: Annotated[int | None, SIDE.field("Width of the result in pixels."), whole] = None
    height: Annotated[int | None, SIDE.field("Height of the result in pixels."), whole] = None
    resize_mode: Annotated[Resize, Field(description="How a raw image of another shape meets the size.")] = RESIZE_MODE
    preserve_color: Annotated[bool, Field(description="Keep the raw image's colours.")] = False
    keep_alpha: Annotated[bool, Field(description="Give the result the raw image's opacity.")] = False
    seed: Annotated[int, SEED.field("Image i of a batch uses seed + i; -1 draws one."), whole] = SEED.default
    batch_size: Annotated[int, BATCH_SIZE.field("Images to make."), whole] = BATCH_SIZE.default
    positive_prompts: Annotated[Prompts, Field(default=[], description="What should appear.")]
    negative_prompts: Annotated[Prompts, Field(default=[], description="What should not appear.")]
    translate_prompts: Annotated[bool, Field(description="Translate prompts into English.")] = True
    use_main_model_vae: Annotated[bool, Field(description="Use the VAE that came with the main model.")] = False
    control_type: Annotated[
        ControlType | None, Field(description="What a ControlNet is shown of the raw image; None leaves it open.")
    ] = None
