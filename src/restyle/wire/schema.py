"""What clients send: each request, declared once. Answers are in :mod:`restyle.wire.answers`.

Validation, the OpenAPI document and the tables of ``docs/wire.md`` are made from these declarations. Names, types,
ranges and defaults are those of PICPIK's *Style Conversion* page where it gives them.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from restyle.wire.fields import ControlType, Fields, Filled, Images, Prompts, Resize, whole
from restyle.wire.ranges import (
    BATCH_SIZE,
    CFG_SCALE,
    CLIP_SKIP,
    FEWEST_STEPS,
    RESIZE_MODE,
    SAMPLER,
    SEED,
    SIDE,
    STEPS,
    STRENGTH,
    WEIGHT,
)

MAX_UIDS = 100
MAX_REQUEST_UUID = 128


def _printable(text: str) -> str:
    if not text.isprintable():
        raise PydanticCustomError("limit", "must not hold control characters")
    return text


INDEXES = ("RawImageIndex", "StyleImageIndex", "ControlImageIndex", "MaskIndex")
"""Fields that name a picture of `ImageList`."""
_ABSENT = object()
"""Stands for a field that is missing, where another would make up for it and is missing, too."""


def _there(value: Any) -> Any:
    if value is _ABSENT:
        raise PydanticCustomError("empty", "is missing")
    return value


unless_kept = BeforeValidator(_there)
"""Marks a field that is required unless ``StyleCode`` is given."""


class InferenceParams(Fields):
    """How a model is run. What is not given is the model's own default, as `ListModels` shows it."""

    Steps: Annotated[
        int,
        STEPS.field("Sampling steps; a model made for few takes fewer, if its entry says so.", from_=FEWEST_STEPS),
        whole,
    ] = STEPS.default
    Sampler: Annotated[str, Field(description="Sampler, by its name in the Stable Diffusion WebUI.")] = SAMPLER
    ClipSkip: Annotated[int, CLIP_SKIP.field("Layer of CLIP, counted from the end, to read."), whole] = (
        CLIP_SKIP.default
    )
    CFGScale: Annotated[float, CFG_SCALE.field("Guidance scale.")] = CFG_SCALE.default
    LoraWeight: Annotated[float, WEIGHT.field("Weight of a LoRA; means nothing elsewhere.")] = WEIGHT.default

    def given(self) -> list[str]:
        """Names of the parameters that the request gives, in the order declared."""
        return [name for name in type(self).model_fields if name in self.model_fields_set]


Control = ControlType
"""The type again, for `ApplyReferenceStyle`, where its name is that of a field."""
Params = InferenceParams
"""The type again, for `Model`, where its name is that of a field."""


class Model(Fields):
    """A model, as a request names it. A Model from `ListModels` may be passed back whole."""

    Name: Annotated[str, Field(description="Name to show.")] = ""
    ModelCode: Annotated[Filled, Field(description="The identifier. May contain spaces.")]
    IsOfficial: Annotated[bool, Field(description="True for a model that came with the service.")] = False
    TriggerWordList: Annotated[list[str], Field(default=[], description="Words that wake a LoRA.")]
    InferenceParams: Annotated[Params, Field(default_factory=Params, description="How the model is run.")]


class Request(Fields):
    """What every request carries."""

    Action: Annotated[str, Field(description="The operation.")]
    PublicKey: Annotated[Filled, Field(description="The public key of the account.")]
    Signature: Annotated[Filled, Field(description="Signature of all other fields: 40 lower-case hex digits.")]
    request_uuid: Annotated[
        str | None,
        AfterValidator(_printable),
        Field(
            max_length=MAX_REQUEST_UUID,
            description="The caller's own mark, echoed in the answer. A submission that carries one never runs twice.",
        ),
    ] = None


class ApplyReferenceStyle(Request):
    """Redraw the raw image in the style of another. Answers at once; the pictures come with `ListTasksDetails`."""

    Action: Literal["ApplyReferenceStyle"]
    MainModel: Annotated[
        Model | None, Field(description="The model that redraws. Required unless `StyleCode` is given."), unless_kept
    ] = None
    SubModelList: Annotated[
        list[Model], Field(default=[], description="LoRA, Embedding and HyperNetwork models to add.")
    ]
    PositivePrompts: Annotated[Prompts, Field(default=[], description="What should appear.")]
    NegativePrompts: Annotated[Prompts, Field(default=[], description="What should not appear.")]
    TranslatePrompts: Annotated[bool, Field(description="Translate prompts into English.")] = True
    Seed: Annotated[int, SEED.field("Image i of a batch uses Seed + i. -1 draws a seed and reports it."), whole] = (
        SEED.default
    )
    Width: Annotated[int, SIDE.field("Width of the result in pixels, kept exactly."), whole] = SIDE.default
    Height: Annotated[int, SIDE.field("Height of the result in pixels, kept exactly."), whole] = SIDE.default
    BatchSize: Annotated[int, BATCH_SIZE.field("Images to make."), whole] = BATCH_SIZE.default
    UseMainModelVAE: Annotated[bool, Field(description="Use the VAE that came with the main model.")] = False
    RawImageIndex: Annotated[
        int, Field(ge=0, description="The image to redraw: its index in ImageList, from 0."), whole
    ]
    StyleImageIndex: Annotated[
        int | None,
        Field(
            ge=0,
            description="The image whose style is taken: its index in ImageList, from 0. Required unless `StyleCode` "
            "is given.",
        ),
        whole,
        unless_kept,
    ] = None
    StyleReferStrength: Annotated[
        float, STRENGTH.field("0 keeps the raw image as it is; 1 is the style at its fullest.")
    ] = STRENGTH.default
    ImageList: Annotated[
        Images,
        Field(description="Pictures in Base64, bare or as data:image/...;base64,... White space is allowed."),
    ]
    ResizeMode: Annotated[
        Resize,
        Field(description="How a raw image of another shape meets Width x Height: stretched, cropped, or filled up."),
    ] = RESIZE_MODE
    PreserveColor: Annotated[
        bool, Field(description="Keep the raw image's colours; take only texture and stroke of the style.")
    ] = False
    KeepAlpha: Annotated[
        bool,
        Field(
            description="Give the result the raw image's opacity, resized as the picture is, instead of laying it on "
            "white."
        ),
    ] = False
    StyleCode: Annotated[
        str | None, Field(description="A kept style of `ListStyles`, in place of `StyleImageIndex` and `MainModel`.")
    ] = None
    ControlType: Annotated[
        Control | None, Field(description="What a ControlNet is shown of the raw image; otherwise the service chooses.")
    ] = None
    ControlImageIndex: Annotated[
        int | None,
        Field(ge=0, description="The image that shows it, a map of the raw image: its index in ImageList, from 0."),
        whole,
    ] = None
    MaskIndex: Annotated[
        int | None,
        Field(
            ge=0,
            description="The image that says where to redraw: its index in ImageList, from 0. White is redrawn, black "
            "stays the raw image.",
        ),
        whole,
    ] = None

    @model_validator(mode="before")
    @classmethod
    def _a_style_makes_up_for_others(cls, value: Any) -> Any:
        if isinstance(value, Mapping) and value.get("StyleCode") is None:
            return {
                "MainModel": _ABSENT,
                "StyleImageIndex": _ABSENT,
                **{name: each for name, each in value.items() if each is not None},
            }
        return value

    @model_validator(mode="after")
    def _there_is_one_style(self) -> Self:
        if self.StyleCode is not None and self.StyleImageIndex is not None:
            reason = "is given beside StyleCode; give one of the two"
            raise PydanticCustomError("limit", reason, {"field": ("StyleImageIndex",)})
        return self

    @model_validator(mode="after")
    def _indexes_are_in_the_list(self) -> Self:
        count = len(self.ImageList)
        for name in INDEXES:
            index = getattr(self, name)
            if index is not None and index >= count:
                reason = "is {index}, but ImageList holds {count} images; give an Int from 0 to {last}"
                given = {"field": (name,), "index": index, "count": count, "last": count - 1}
                raise PydanticCustomError("limit", reason, given)
        return self


class ListTasksDetails(Request):
    """How tasks stand, and where their pictures are."""

    Action: Literal["ListTasksDetails"]
    TaskUIDList: Annotated[
        list[str], Field(min_length=1, max_length=MAX_UIDS, description="The tasks, in the order wanted.")
    ]


class ListModels(Request):
    """Which models there are."""

    Action: Literal["ListModels"]


class ListRunningTasks(Request):
    """Which tasks of the account have not ended."""

    Action: Literal["ListRunningTasks"]


class TerminateTask(Request):
    """End a task now. It becomes `Error` with ErrorCode 5104, and its credits return."""

    Action: Literal["TerminateTask"]
    TaskUID: Annotated[Filled, Field(description="The task.")]


class GetCreditBalance(Request):
    """How many credits the account has had and has used."""

    Action: Literal["GetCreditBalance"]


class ListStyles(Request):
    """Which kept styles there are: the account's own, and the official ones, which are everybody's."""

    Action: Literal["ListStyles"]
    Thumbnails: Annotated[bool, Field(description="Answer with a small picture of each.")] = False


class SaveStyle(Request):
    """Keep a picture and settings under a name, in place of a style of the account's that has it."""

    Action: Literal["SaveStyle"]
    StyleCode: Annotated[Filled, Field(description="What it is called from now on: at most 64 characters.")]
    StyleImage: Annotated[
        Filled, Field(description="The picture whose style is taken, in Base64, as those of an `ImageList`.")
    ]
    MainModel: Annotated[Model | None, Field(description="The model that redraws.")] = None
    SubModelList: Annotated[
        list[Model] | None, Field(description="LoRA, Embedding and HyperNetwork models to add.")
    ] = None
    PositivePrompts: Annotated[Prompts | None, Field(description="What should appear.")] = None
    NegativePrompts: Annotated[Prompts | None, Field(description="What should not appear.")] = None
    TranslatePrompts: Annotated[bool | None, Field(description="Translate prompts into English.")] = None
    UseMainModelVAE: Annotated[bool | None, Field(description="Use the VAE that came with the main model.")] = None
    StyleReferStrength: Annotated[
        float | None, STRENGTH.field("0 keeps the raw image as it is; 1 is the style at its fullest.")
    ] = None
    PreserveColor: Annotated[
        bool | None, Field(description="Keep the raw image's colours; take only texture and stroke of the style.")
    ] = None


class DeleteStyle(Request):
    """Forget a kept style of the account, and its picture. Tasks that were submitted with it go on."""

    Action: Literal["DeleteStyle"]
    StyleCode: Annotated[Filled, Field(description="The style.")]
