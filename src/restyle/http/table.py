"""Every action, once: what it is asked, what it answers, who carries it out, and an example of both.

The endpoint, the OpenAPI document, the page and the tables of ``docs/wire.md`` all read this table.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from restyle.http import actions
from restyle.http.actions import Call
from restyle.http.service import Service
from restyle.wire import answers, schema
from restyle.wire.names import DEFAULT_MODEL

EXAMPLE_UID = "cktlm6lrh4miq8ng9nf0"


@dataclass(frozen=True, slots=True)
class Action:
    """``asked`` and ``answered`` are the fields of an example, without those that every request and answer carries.

    ``writes`` says that it changes a record; ``brings_pictures`` that strangers' pictures come with it, to
    be looked at and stored.
    """

    request: type[schema.Request]
    answer: type[answers.Answer]
    perform: Callable[[Service, Call, Any], answers.Answer]
    asked: Mapping[str, Any]
    answered: Mapping[str, Any]
    writes: bool = False
    brings_pictures: bool = False

    @property
    def name(self) -> str:
        """What the field ``Action`` says."""
        return self.request.__name__

    @property
    def meaning(self) -> str:
        """One line."""
        return (self.request.__doc__ or "").strip().splitlines()[0]


_SHIPPED = {
    "Name": DEFAULT_MODEL,
    "ModelCode": DEFAULT_MODEL,
    "IsOfficial": True,
    "TriggerWordList": [],
    "InferenceParams": {},
}
_SUBMISSION = {
    "MainModel": {"ModelCode": "PICPIK Interior Design", "InferenceParams": {"Steps": 20, "CFGScale": 7.5}},
    "PositivePrompts": ["a apple"],
    "Seed": -1,
    "Width": 1024,
    "Height": 1024,
    "BatchSize": 1,
    "UseMainModelVAE": True,
    "RawImageIndex": 0,
    "StyleImageIndex": 1,
    "StyleReferStrength": 0.5,
    "ImageList": ["data:image/png;base64,...", "data:image/jpeg;base64,..."],
}
_DETAIL = {
    "TaskUID": EXAMPLE_UID,
    "Action": "ApplyReferenceStyle",
    "Status": "Finished",
    "ImgList": [f"http://127.0.0.1:8484/results/{EXAMPLE_UID}/0.png?expires=1700000000&token=..."],
    "Seed": 7,
    "SeedList": [7],
    "TxtList": [],
    "ConsumeApiPoint": 2,
    "ErrorCode": 0,
    "ErrorMassage": "",
    "ErrorMessage": "",
    "Progress": 1.0,
    "Notices": [f"PositivePrompts is not used by {DEFAULT_MODEL}"],
    "CreateTime": 1699913599,
    "StartTime": 1699913599,
    "FinishTime": 1699913600,
    "ExpireTime": 1700000000,
}
_MODELS = {
    "MainModels": {_SHIPPED["ModelCode"]: _SHIPPED},
    "LoraModels": {},
    "EmbeddingModels": {},
    "HypernetworkModels": {},
}
_WATERCOLOUR: Mapping[str, Any] = {
    "StyleCode": "House watercolour",
    "MainModel": {"ModelCode": DEFAULT_MODEL},
    "StyleReferStrength": 0.7,
}
_STYLES = [
    {"Name": "House watercolour", "IsOfficial": False, "CreateTime": 1699913600, **_WATERCOLOUR},
    {"StyleCode": "woodcut", "Name": "Woodcut", "IsOfficial": True},
]

ACTIONS: Mapping[str, Action] = {
    action.name: action
    for action in (
        Action(
            schema.ApplyReferenceStyle,
            answers.ApplyReferenceStyleAnswer,
            actions.apply_reference_style,
            _SUBMISSION,
            {"TaskUID": EXAMPLE_UID},
            writes=True,
            brings_pictures=True,
        ),
        Action(
            schema.ListTasksDetails,
            answers.ListTasksDetailsAnswer,
            actions.list_tasks_details,
            {"TaskUIDList": [EXAMPLE_UID]},
            {"TaskDetailList": [_DETAIL]},
        ),
        Action(schema.ListModels, answers.ListModelsAnswer, actions.list_models, {}, _MODELS),
        Action(
            schema.ListRunningTasks,
            answers.ListRunningTasksAnswer,
            actions.list_running_tasks,
            {},
            {"TaskUIDList": [EXAMPLE_UID]},
        ),
        Action(
            schema.TerminateTask,
            answers.TerminateTaskAnswer,
            actions.terminate_task,
            {"TaskUID": EXAMPLE_UID},
            {},
            writes=True,
        ),
        Action(
            schema.GetCreditBalance,
            answers.GetCreditBalanceAnswer,
            actions.get_credit_balance,
            {},
            {"TotalCredits": 300, "UsedCredits": 2},
        ),
        Action(schema.ListStyles, answers.ListStylesAnswer, actions.list_styles, {}, {"StyleList": _STYLES}),
        Action(
            schema.SaveStyle,
            answers.SaveStyleAnswer,
            actions.save_style,
            {**_WATERCOLOUR, "StyleImage": "data:image/jpeg;base64,..."},
            {},
            writes=True,
            brings_pictures=True,
        ),
        Action(
            schema.DeleteStyle,
            answers.DeleteStyleAnswer,
            actions.delete_style,
            {"StyleCode": _WATERCOLOUR["StyleCode"]},
            {},
            writes=True,
        ),
    )
}
