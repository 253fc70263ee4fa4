"""What clients get: each answer, declared once. Requests are in :mod:`restyle.wire.schema`."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from restyle.wire.codes import Code


class Answer(BaseModel):
    """What every answer carries. Fields that do not apply are absent."""

    model_config = ConfigDict(extra="forbid")

    RetCode: Annotated[int, Field(description="0 is success; the table of codes says what else it may be.")] = (
        Code.SUCCESS
    )
    Action: Annotated[str, Field(description="The request's, unchanged.")]
    Message: Annotated[str, Field(description="What was wrong and what would be right; empty on success.")] = ""
    request_uuid: Annotated[str | None, Field(description="The request's, if it carried one.")] = None
    fault: Annotated[
        str | None,
        Field(
            serialization_alias="Field",
            description="Path of the field at fault, if one is: MainModel.InferenceParams.Steps.",
        ),
    ] = None

    def json_bytes(self) -> bytes:
        """The answer as it is sent."""
        return self.model_dump_json(by_alias=True, exclude_none=True).encode()


class TaskDetail(BaseModel):
    """One task. Times are Unix seconds."""

    TaskUID: Annotated[str, Field(description="The task.")]
    Action: Annotated[str, Field(description="The action that made it.")]
    Status: Annotated[Literal["Queuing", "Running", "Finished", "Error"], Field(description="Where it stands.")]
    ImgList: Annotated[
        list[str], Field(description="URLs of the pictures; empty until Finished and after they expire.")
    ]
    Seed: Annotated[int, Field(description="The seed of the first image, also where -1 drew it.")]
    SeedList: Annotated[list[int], Field(description="One seed per image.")]
    TxtList: Annotated[list[str], Field(description="Texts; this action makes none.")]
    ConsumeApiPoint: Annotated[int, Field(description="Credits the task used; 0 where they were returned.")]
    ErrorCode: Annotated[int, Field(description="0 is none; the table of codes says what else it may be.")] = 0
    ErrorMassage: Annotated[str, Field(description="What went wrong. Spelled as PICPIK spells it.")] = ""
    ErrorMessage: Annotated[str, Field(description="The same text.")] = ""
    Progress: Annotated[float, Field(ge=0, le=1, description="The part of the work that is done.")]
    QueuePosition: Annotated[int | None, Field(description="Tasks that start before it, plus one; while Queuing.")] = (
        None
    )
    Notices: Annotated[list[str], Field(description="What the request asked for and the model does not use.")]
    CreateTime: Annotated[int, Field(description="When it was submitted.")]
    StartTime: Annotated[int | None, Field(description="When work on it began.")] = None
    FinishTime: Annotated[int | None, Field(description="When it ended.")] = None
    ExpireTime: Annotated[int | None, Field(description="When its pictures are deleted; absent where none are.")] = None


class ApplyReferenceStyleAnswer(Answer):
    """The task is stored: it will end, even if the service stops now."""

    TaskUID: Annotated[str, Field(description="The task, 20 characters.")]


class ListTasksDetailsAnswer(Answer):
    """The tasks in the order asked."""

    TaskDetailList: Annotated[list[TaskDetail], Field(description="One for each TaskUID asked for.")]


class ModelEntry(BaseModel):
    """A model in `ListModels`."""

    Name: str
    ModelCode: str
    IsOfficial: bool
    TriggerWordList: list[str]
    InferenceParams: Annotated[dict[str, Any], Field(description="The model's own defaults; only what it uses.")]


class ListModelsAnswer(Answer):
    """The models, each map keyed by ModelCode."""

    MainModels: Annotated[dict[str, ModelEntry], Field(description="Models for MainModel.")]
    LoraModels: Annotated[dict[str, ModelEntry], Field(description="LoRA models for SubModelList.")]
    EmbeddingModels: Annotated[dict[str, ModelEntry], Field(description="Embeddings for SubModelList.")]
    HypernetworkModels: Annotated[dict[str, ModelEntry], Field(description="Hypernetworks for SubModelList.")]


class ListRunningTasksAnswer(Answer):
    """The tasks that are Queuing or Running, oldest first."""

    TaskUIDList: Annotated[list[str], Field(description="Their TaskUIDs.")]


class TerminateTaskAnswer(Answer):
    """The task has ended."""


class GetCreditBalanceAnswer(Answer):
    """Credits of the account."""

    TotalCredits: Annotated[int, Field(description="All credits the account was ever given.")]
    UsedCredits: Annotated[int, Field(description="Credits that tasks used.")]
    ExpireTimestamp: Annotated[int | None, Field(description="When the credits expire; absent where they do not.")] = (
        None
    )


class StyleEntry(BaseModel):
    """A kept style in `ListStyles`, with the fields of `ApplyReferenceStyle` that it keeps."""

    StyleCode: Annotated[str, Field(description="What the field of that name takes.")]
    Name: Annotated[str, Field(description="Name to show.")]
    IsOfficial: Annotated[bool, Field(description="True for a style that came with the service.")]
    Thumbnail: Annotated[
        str | None, Field(description="A JPEG in Base64, 256 pixels at most a side; where it was asked for.")
    ] = None
    CreateTime: Annotated[int | None, Field(description="When it was saved; absent for official ones.")] = None
    MainModel: Annotated[dict[str, Any] | None, Field(description="As it was saved: ModelCode, InferenceParams.")] = (
        None
    )
    SubModelList: list[dict[str, Any]] | None = None
    PositivePrompts: list[str] | None = None
    NegativePrompts: list[str] | None = None
    TranslatePrompts: bool | None = None
    UseMainModelVAE: bool | None = None
    StyleReferStrength: float | None = None
    PreserveColor: bool | None = None


class ListStylesAnswer(Answer):
    """The account's own by name, then the official ones."""

    StyleList: Annotated[list[StyleEntry], Field(description="Styles for StyleCode.")]


class SaveStyleAnswer(Answer):
    """The style is kept."""


class DeleteStyleAnswer(Answer):
    """The style is forgotten."""
