"""The wire explained: tables made from its declarations, and examples that are really signed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import BaseModel

from restyle.http.table import ACTIONS, Action
from restyle.wire import answers, schema
from restyle.wire.codes import Code
from restyle.wire.fields import Limits, Plain
from restyle.wire.signature import sign

INTRODUCTION = (
    "Redraws a photograph in the style of another picture. Every action is a signed `POST /` with a JSON body whose "
    "field `Action` names it, as in PICPIK's Style Conversion API: submit with `ApplyReferenceStyle`, ask with "
    "`ListTasksDetails` until `Status` is `Finished`, then fetch the URLs in `ImgList`."
)

STATUSES = {
    400: "The body is not a JSON object, the Host is no name of this service, or it is no HTTP (4001).",
    405: "Not POST, nor GET or HEAD where there is something to read.",
    408: "The body did not arrive, or too slowly while others waited (4001).",
    413: "The body is too large (4002).",
    415: "Not uncompressed application/json in UTF-8 (4001).",
    429: "Too many requests of this key or address, or large bodies or results at once (4008); see `Retry-After`.",
    431: "The head of the request is too large (4001).",
    503: "The service is stopping, too busy to look at the pictures, or its storage or database is away for a moment "
    "(4009); see `Retry-After`.",
}
"""HTTP statuses of answers where no action was reached. They carry the same JSON."""

EXAMPLE_KEYS = ("abcdefg", "123456")
"""Public and private key of the examples, those of the published test vectors."""

DEFAULT_LIMITS = Limits()

_UUID = "8482d350-04f9-421b-817b-1d98b3a4dcfa"


@dataclass(frozen=True, slots=True)
class Row:
    """One field in a table. ``default`` is empty for a required field, ``takes`` where the type says it all."""

    name: str
    type: str
    required: bool
    default: str
    takes: str
    meaning: str


def rows(model: type[BaseModel], limits: Limits = DEFAULT_LIMITS, *, answer: bool = False) -> list[Row]:
    """The fields of a declaration, in its order; ``limits`` are those of the service that is described."""
    whole = model.model_json_schema(schema_generator=Plain, mode="serialization" if answer else "validation")
    return [_row(name, each, name in whole.get("required", ()), limits) for name, each in whole["properties"].items()]


def own_rows(
    model: type[BaseModel], common: type[BaseModel], limits: Limits = DEFAULT_LIMITS, *, answer: bool = False
) -> list[Row]:
    """The fields of a declaration without those that ``common`` has already."""
    known = {row.name for row in rows(common, answer=answer)}
    return [row for row in rows(model, limits, answer=answer) if row.name not in known]


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
            lines = [(f"`{name}`", action.meaning) for name, action in ACTIONS.items()]
            return _table(("Action", "What it does"), lines)
        case "request":
            return _fields(rows(schema.Request))
        case "answer":
            return _answer_fields(rows(answers.Answer, answer=True))
        case "Model" | "InferenceParams":
            return _fields(rows(getattr(schema, table)))
        case "TaskDetail" | "ModelEntry" | "StyleEntry":
            return _answer_fields(rows(getattr(answers, table), answer=True))
    if table in ACTIONS:
        return _fields(own_rows(ACTIONS[table].request, schema.Request))
    return _answer_fields(own_rows(ACTIONS[table.removesuffix("Answer")].answer, answers.Answer, answer=True))


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
    return {name: _example(action) for name, action in ACTIONS.items()}


def _example(action: Action) -> tuple[dict[str, Any], dict[str, Any]]:
    public_key, private_key = EXAMPLE_KEYS
    body = {"Action": action.name, "PublicKey": public_key, "request_uuid": _UUID, **action.asked}
    envelope = {"RetCode": 0, "Action": action.name, "Message": "", "request_uuid": _UUID}
    return {**body, "Signature": sign(body, private_key)}, {**envelope, **action.answered}


def _row(name: str, declaration: dict[str, Any], required: bool, limits: Limits) -> Row:
    default = "" if required or "default" not in declaration else _literal(declaration["default"])
    return Row(
        name,
        _type(declaration),
        required,
        default,
        _takes(name, declaration, limits),
        declaration.get("description", ""),
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


def _takes(name: str, declaration: dict[str, Any], limits: Limits) -> str:
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
