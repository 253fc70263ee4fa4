"""What each action does, one function each. They run in threads: the database and the storage are waited for here."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from restyle import tracing
from restyle.accounts import credits
from restyle.accounts.keys import Key
from restyle.conversion.models import MainModel, SubModel
from restyle.conversion.plan import Pictures, plan
from restyle.conversion.stored import to_json
from restyle.conversion.style import wire_fields
from restyle.engines.base import Feature
from restyle.http import styles
from restyle.http.conversion import asked, to_keep, wire_name
from restyle.http.links import lasting
from restyle.http.pictures import from_base64, read_pictures
from restyle.http.service import Service
from restyle.queue.record import Status, TaskRecord
from restyle.queue.store import Submission
from restyle.queue.uid import created, new_uid
from restyle.storage import StorageError, input_key, input_prefix
from restyle.wire import answers, schema
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError
from restyle.wire.signature import Json, digest_body


@dataclass(frozen=True, slots=True)
class Call:
    """One request, let in: who sent it, its whole body, and the address under which its sender reaches the service."""

    key: Key
    body: dict[str, Json]
    base_url: str


def apply_reference_style(
    service: Service, call: Call, request: schema.ApplyReferenceStyle
) -> answers.ApplyReferenceStyleAnswer:
    """Check everything, store the pictures, then accept the task in one transaction."""
    account_id = call.key.account_id
    digest = digest_body(call.body, request.Signature) if request.request_uuid else b""
    repeated = service.tasks.find_repeat(account_id, request.request_uuid, request.Signature, digest)
    if repeated is not None:
        return answers.ApplyReferenceStyleAnswer(Action=request.Action, TaskUID=repeated)
    service.check_drawers()
    uid = new_uid()
    with tracing.span(tracing.ROOT, uid):
        return _submitted(service, call, request, uid, digest)


def _submitted(
    service: Service, call: Call, request: schema.ApplyReferenceStyle, uid: str, digest: bytes
) -> answers.ApplyReferenceStyleAnswer:
    account_id = call.key.account_id
    kept = None if request.StyleCode is None else styles.find(service, account_id, request.StyleCode)
    # A kept style's picture is stored with the task's own, which goes on whatever becomes of the style.
    style_index = len(request.ImageList) if request.StyleImageIndex is None else request.StyleImageIndex
    planned = plan(
        asked(request, None if kept is None else kept.settings),
        service.registry,
        Pictures(
            input_key(uid, request.RawImageIndex),
            input_key(uid, style_index),
            control=None if request.ControlImageIndex is None else input_key(uid, request.ControlImageIndex),
            mask=None if request.MaskIndex is None else input_key(uid, request.MaskIndex),
        ),
        named=wire_name,
    )
    named = {getattr(request, name) for name in schema.INDEXES} | {style_index}
    used = named & set(range(len(request.ImageList)))
    with tracing.span("check", uid, pictures=len(request.ImageList)):
        pictures = read_pictures(request.ImageList, sorted(used), service.checkers, account_id)
    if kept is not None:
        pictures[style_index] = kept.picture
    submission = Submission(
        account_id=account_id,
        action=request.Action,
        request_uuid=request.request_uuid,
        signature=request.Signature,
        body_digest=digest,
        cost=planned.cost,
        seed=planned.seeds[0],
        seeds=planned.seeds,
        plan=to_json(planned),
        notices=planned.notices,
        priority=call.key.priority,
    )
    return answers.ApplyReferenceStyleAnswer(Action=request.Action, TaskUID=accept(service, uid, submission, pictures))


def accept(service: Service, uid: str, submission: Submission, pictures: Mapping[int, bytes]) -> str:
    """Store ``pictures`` under the input keys of their indexes, then accept the task in one transaction.

    Returns its uid, or that of the submission which this one repeats. Raises what ``TaskStore.submit`` and
    ``Service.check_drawable`` raise, and StorageError.
    """
    service.check_drawable(submission.needs)
    accepted = ""
    try:
        for index, data in pictures.items():
            with tracing.span("put", uid, bytes=len(data)):
                service.storage.put(input_key(uid, index), data)
        accepted = service.tasks.submit(uid, submission)
    finally:
        if accepted != uid:  # refused, or another thread was first with the same request
            with suppress(StorageError):  # the sweep deletes what stays; what went wrong before is what is told
                service.storage.delete_prefix(input_prefix(uid))
    service.workforce.notify()
    return accepted


def list_tasks_details(
    service: Service, call: Call, request: schema.ListTasksDetails
) -> answers.ListTasksDetailsAnswer:
    """The tasks asked for, with URLs of what is finished."""
    for index, uid in enumerate(request.TaskUIDList):
        _check_uid(uid, f"TaskUIDList[{index}]")
    records = service.tasks.details(call.key.account_id, request.TaskUIDList)
    details = [_detail(service, call, record) for record in records]
    return answers.ListTasksDetailsAnswer(Action=request.Action, TaskDetailList=details)


def list_models(service: Service, call: Call, request: schema.ListModels) -> answers.ListModelsAnswer:
    """The models that can be used, an alias as a model of its own, so that programs that look for it find it."""
    subs = service.registry.subs.values()

    def entries(models: Sequence[MainModel | SubModel]) -> dict[str, answers.ModelEntry]:
        return {model.code: _entry(model) for model in models if not model.absence()}

    return answers.ListModelsAnswer(
        Action=request.Action,
        MainModels=entries(list(service.registry.mains.values())),
        LoraModels=entries([model for model in subs if model.kind is Feature.LORA]),
        EmbeddingModels=entries([model for model in subs if model.kind is Feature.EMBEDDING]),
        HypernetworkModels=entries([model for model in subs if model.kind is Feature.HYPERNETWORK]),
    )


def list_running_tasks(
    service: Service, call: Call, request: schema.ListRunningTasks
) -> answers.ListRunningTasksAnswer:
    """The account's tasks that have not ended."""
    return answers.ListRunningTasksAnswer(
        Action=request.Action, TaskUIDList=service.tasks.unfinished(call.key.account_id)
    )


def terminate_task(service: Service, call: Call, request: schema.TerminateTask) -> answers.TerminateTaskAnswer:
    """End the task in the records, then stop the work on it."""
    _check_uid(request.TaskUID, "TaskUID")
    service.tasks.terminate(call.key.account_id, request.TaskUID)
    service.workforce.cancel(request.TaskUID)
    return answers.TerminateTaskAnswer(Action=request.Action)


def get_credit_balance(
    service: Service, call: Call, request: schema.GetCreditBalance
) -> answers.GetCreditBalanceAnswer:
    """What the account was given and has used."""
    balance = credits.balance(service.db, call.key.account_id)
    return answers.GetCreditBalanceAnswer(Action=request.Action, TotalCredits=balance.total, UsedCredits=balance.used)


def list_styles(service: Service, call: Call, request: schema.ListStyles) -> answers.ListStylesAnswer:
    """The account's own styles, and the official ones."""
    found = [
        answers.StyleEntry(
            StyleCode=style.code,
            Name=style.name,
            IsOfficial=style.is_official,
            Thumbnail=b64encode(style.thumbnail).decode() if request.Thumbnails else None,
            CreateTime=None if style.created is None else int(style.created),
            **wire_fields(style.settings),
        )
        for style in styles.shelf(service, call.key.account_id)
    ]
    return answers.ListStylesAnswer(Action=request.Action, StyleList=found)


def save_style(service: Service, call: Call, request: schema.SaveStyle) -> answers.SaveStyleAnswer:
    """Keep the picture and what the request gives beside it."""
    picture = from_base64(request.StyleImage, "StyleImage")
    styles.save(service, call.key.account_id, request.StyleCode, picture, to_keep(request))
    return answers.SaveStyleAnswer(Action=request.Action)


def delete_style(service: Service, call: Call, request: schema.DeleteStyle) -> answers.DeleteStyleAnswer:
    """Forget the style."""
    styles.delete(service, call.key.account_id, request.StyleCode)
    return answers.DeleteStyleAnswer(Action=request.Action)


def _detail(service: Service, call: Call, record: TaskRecord) -> answers.TaskDetail:
    expires = None if record.expires is None else int(record.expires)
    until = lasting(service.settings.result_seconds) if expires is None else expires
    urls = [service.links.url(call.base_url, record.uid, index, until) for index in range(len(record.images))]
    return answers.TaskDetail(
        TaskUID=record.uid,
        Action=record.action,
        Status=record.status.value,
        ImgList=urls,
        Seed=record.seed,
        SeedList=list(record.seeds),
        TxtList=[],
        ConsumeApiPoint=0 if record.status is Status.ERROR else record.cost,
        ErrorCode=record.error_code,
        ErrorMassage=record.error_message,
        ErrorMessage=record.error_message,
        Progress=record.progress,
        QueuePosition=record.queue_position,
        Notices=list(record.notices),
        CreateTime=int(record.created),
        StartTime=None if record.started is None else int(record.started),
        FinishTime=None if record.finished is None else int(record.finished),
        ExpireTime=expires,
    )


def _entry(model: MainModel | SubModel) -> answers.ModelEntry:
    return answers.ModelEntry(
        Name=model.name,
        ModelCode=model.code,
        IsOfficial=model.is_official,
        TriggerWordList=list(model.trigger_words) if isinstance(model, SubModel) else [],
        InferenceParams=dict(model.defaults),
    )


def _check_uid(uid: str, field: str) -> None:
    """Refuse (4006) what cannot be a TaskUID before it reaches the database."""
    try:
        created(uid)
    except ValueError:
        shown = uid if len(uid) <= 32 else f"{uid[:29]}..."
        raise RestyleError(Code.TASK_NOT_FOUND, f"task {shown} not found", field=field) from None
