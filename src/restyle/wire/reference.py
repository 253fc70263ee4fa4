"""The wire explained: tables made from its declarations, and examples that are really signed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import BaseModel

from restyle.wire import schema
from restyle.wire.codes import Code
from restyle.wire.fields import Limits, Plain
from restyle.wire.signature import sign

INTRODUCTION = (
    "Redraws a photograph in the style of another picture. Every action is a signed `POST /` with a JSON body whose "
    "field `Action` names it, as in PICPIK's Style Conversion API: submit with `ApplyReferenceStyle`, ask with "
    "`ListTasksDetails` until `Status` is `Finished`, then fetch the URLs in `ImgList`."
)

STATUSES = {
    400: "The body is not a JSON object (4001).",
    405: "Not POST.",
    408: "The body did not arrive (4001).",
    413: "The body is too large (4002).",
    415: "Not uncompressed application/json in UTF-8 (4001).",
    429: "Too many requests of this key, or too many large bodies at once (4008); see `Retry-After`.",
    503: "The service is stopping, or its storage or database is away for a moment (4009); see `Retry-After`.",
}
"""HTTP statuses of answers where no action was reached. They carry the same JSON."""

EXAMPLE_KEYS = ("abcdefg", "123456")
"""Public and private key of the examples, those of the published test vectors."""

_UUID = "8482d350-04f9-421b-817b-1d98b3a4dcfa"
_UID = "cktlm6lrh4miq8ng9nf0"


@dataclass(frozen=True, slots=True)
class Row:
    """One field in a table. ``default`` is empty for a required field, ``takes`` where the type says it all."""

    name: str
    type: str
    required: bool
    default: str
    takes: str
    meaning: str


def rows(model: type[BaseModel], *, answer: bool = False) -> list[Row]:
    """The fields of a declaration, in its order."""
    whole = model.model_json_schema(schema_generator=Plain, mode="serialization" if answer else "validation")
    return [_row(name, each, name in whole.get("required", ())) for name, each in whole["properties"].items()]


def own_rows(model: type[BaseModel], common: type[BaseModel], *, answer: bool = False) -> list[Row]:
    """The fields of a declaration without those that ``common`` has already."""
    known = {row.name for row in rows(common, answer=answer)}
    return [row for row in rows(model, answer=answer) if row.name not in known]


def markdown(table: str) -> str:
    """One of the tables of ``docs/wire.md``: of ``codes`` or ``statuses``, of an action, its answer, or a type."""
    match table:
        case "codes":
            return _table(
                ("Code", "Name", "Meaning"), [(str(int(code)), f"`{code.name}`", code.meaning) for code in Code]
            )
        case "statuses":
            return _table(("Status", "When"), [(str(status), when) for status, when in STATUSES.items()])
        case "actions":
            lines = [(f"`{name}`", _first_line(model)) for name, model in schema.REQUESTS.items()]
            return _table(("Action", "What it does"), lines)
        case "request":
            return _fields(rows(schema.Request))
        case "answer":
            return _answer_fields(rows(schema.Answer, answer=True))
        case "Model" | "InferenceParams":
            return _fields(rows(getattr(schema, table)))
        case "TaskDetail" | "ModelEntry":
            return _answer_fields(rows(getattr(schema, table), answer=True))
    if table in schema.REQUESTS:
        return _fields(own_rows(schema.REQUESTS[table], schema.Request))
    return _answer_fields(own_rows(schema.ANSWERS[table.removesuffix("Answer")], schema.Answer, answer=True))


def fill(document: str) -> str:
    """``document`` with each ``<!-- table: name -->`` ... ``<!-- end -->`` holding the table as it is now."""
    return re.sub(
        r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)",
        lambda found: f"{found[1]}{markdown(found[2])}{found[3]}",
        document,
        flags=re.DOTALL,
    )


@cache
def examples() -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """For each action a request, signed with ``EXAMPLE_KEYS``, and its answer."""
    detail = {
        "TaskUID": _UID,
        "Action": "ApplyReferenceStyle",
        "Status": "Finished",
        "ImgList": [f"http://127.0.0.1:8484/results/{_UID}/0.png?expires=1700000000&token=..."],
        "Seed": 7,
        "SeedList": [7],
        "TxtList": [],
        "ConsumeApiPoint": 2,
        "ErrorCode": 0,
        "ErrorMassage": "",
        "ErrorMessage": "",
        "Progress": 1.0,
        "Notices": ["PositivePrompts is not used by Restyle Painter"],
        "CreateTime": 1699913599,
        "StartTime": 1699913599,
        "FinishTime": 1699913600,
        "ExpireTime": 1700000000,
    }
    painter = {
        "Name": "Restyle Painter",
        "ModelCode": "Restyle Painter",
        "IsOfficial": True,
        "TriggerWordList": [],
        "InferenceParams": {},
    }
    submission = {
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
    return {
        "ApplyReferenceStyle": _example("ApplyReferenceStyle", submission, {"TaskUID": _UID}),
        "ListTasksDetails": _example("ListTasksDetails", {"TaskUIDList": [_UID]}, {"TaskDetailList": [detail]}),
        "ListModels": _example(
            "ListModels",
            {},
            {
                "MainModels": {painter["ModelCode"]: painter},
                "LoraModels": {},
                "EmbeddingModels": {},
                "HypernetworkModels": {},
            },
        ),
        "ListRunningTasks": _example("ListRunningTasks", {}, {"TaskUIDList": [_UID]}),
        "TerminateTask": _example("TerminateTask", {"TaskUID": _UID}, {}),
        "GetCreditBalance": _example("GetCreditBalance", {}, {"TotalCredits": 300, "UsedCredits": 2}),
    }


def _example(action: str, fields: dict[str, Any], answer: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    public_key, private_key = EXAMPLE_KEYS
    body = {"Action": action, "PublicKey": public_key, "request_uuid": _UUID, **fields}
    envelope = {"RetCode": 0, "Action": action, "Message": "", "request_uuid": _UUID}
    return {**body, "Signature": sign(body, private_key)}, {**envelope, **answer}


def _row(name: str, declaration: dict[str, Any], required: bool) -> Row:
    default = "" if required or "default" not in declaration else _literal(declaration["default"])
    return Row(
        name, _type(declaration), required, default, _takes(name, declaration), declaration.get("description", "")
    )


def _type(declaration: dict[str, Any]) -> str:
    if "$ref" in declaration:
        return str(declaration["$ref"].rpartition("/")[2])
    match declaration.get("type"):
        case "array":
            return "[]" + _type(declaration["items"])
        case "object":
            inner = declaration.get("additionalProperties")
            return f"Map[String]{_type(inner)}" if isinstance(inner, dict) else "Object"
        case "integer":
            return "Int"
        case "number":
            return "Float"
        case "boolean":
            return "Bool"
        case _:
            return "String"


def _takes(name: str, declaration: dict[str, Any]) -> str:
    limits = Limits()
    if "Prompts" in name and declaration.get("type") == "array":
        return f"at most {limits.prompts} of {limits.prompt_length:,} characters"
    if name == "ImageList":
        return f"1..{limits.images} pictures"
    if "const" in declaration:
        return f"`{declaration['const']}`"
    if "enum" in declaration:
        return ", ".join(f"`{each}`" for each in declaration["enum"])
    if "maxItems" in declaration:
        return f"{declaration['minItems']}..{declaration['maxItems']} of them"
    if "maxLength" in declaration:
        return f"at most {declaration['maxLength']} characters"
    if "maximum" in declaration:
        return f"{declaration['minimum']:g}..{declaration['maximum']:.10g}"
    return f"from {declaration['minimum']}" if "minimum" in declaration else ""


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return "`true`" if value else "`false`"
    if isinstance(value, str):
        return f"`{value}`" if value else '""'
    return f"`{value}`"


def _fields(found: list[Row]) -> str:
    if not found:
        return "No fields of its own.\n"
    lines = [
        (f"`{row.name}`", row.type, "yes" if row.required else "", row.default, row.takes, row.meaning) for row in found
    ]
    return _table(("Field", "Type", "Required", "Default", "Takes", "Meaning"), lines)


def _answer_fields(found: list[Row]) -> str:
    if not found:
        return "No fields of its own.\n"
    lines = [(f"`{row.name}`", row.type, "yes" if row.required else "", row.meaning) for row in found]
    return _table(("Field", "Type", "Always there", "Meaning"), lines)


def _table(head: tuple[str, ...], lines: Sequence[tuple[str, ...]]) -> str:
    rule = tuple("---" for _ in head)
    return "".join(f"| {' | '.join(line)} |\n" for line in (head, rule, *lines))


def _first_line(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").strip().splitlines()[0]
