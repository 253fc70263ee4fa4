"""Fields as data: what a type, a range and a default mean, and what is said when a value does not keep them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import ErrorDetails, PydanticCustomError, core_schema

from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError
from restyle.wire.ranges import CONTROL_TYPES, RESIZE_MODES

_SHOWN = 48
"""Characters of a refused value that a message repeats."""

FieldPath = tuple[str | int, ...]
Named = Callable[[FieldPath], str]
"""What a door calls the field at a path."""


def path(parts: FieldPath) -> str:
    """``("SubModelList", 0, "ModelCode")`` as ``SubModelList[0].ModelCode``."""
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def unavailable(field: str, reason: str) -> RestyleError:
    """The error (230) for a field whose value cannot be used; ``reason`` begins with "it"."""
    return RestyleError(Code.PARAMETER_NOT_AVAILABLE, f"parameter {field} not available: {reason}", field=field)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that an operator may move. The defaults are those of the documentation."""

    images: int = 16
    prompts: int = 50
    prompt_length: int = 2000


class Fields(BaseModel):
    """An object of a request. Unknown names are ignored, null counts as not given, and nothing is converted."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")

    @model_validator(mode="before")
    @classmethod
    def _null_is_not_given(cls, value: Any) -> Any:
        if isinstance(value, Mapping) and None in value.values():
            return {name: each for name, each in value.items() if each is not None}
        return value

    @classmethod
    def read(cls, body: Mapping[str, Any], limits: Limits | None = None, named: Named = path) -> Self:
        """``body`` as this object; ``named`` is how messages call a field.

        Raises RestyleError (220, 230) for the first field at fault, missing ones first.
        """
        try:
            return cls.model_validate(body, context=limits or Limits())
        except ValidationError as error:
            faults = error.errors(include_url=False)
            first = next((fault for fault in faults if fault["type"] in _MISSING), faults[0])
            raise _fault(cls, first, named) from None


_MISSING = frozenset({"missing", "empty"})


def _whole(value: Any) -> Any:
    """1024.0 is 1024: some languages have one kind of number and print it so. The signature prints both alike, too."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _filled(value: str) -> str:
    if not value:
        raise PydanticCustomError("empty", "is empty")
    return value


def _no_nul(value: str) -> str:
    if "\0" in value:
        raise PydanticCustomError("limit", "must not hold the character NUL")
    return value


def _at_most(setting: str, what: str) -> AfterValidator:
    def check(value: Any, info: ValidationInfo) -> Any:
        most = getattr(info.context or Limits(), setting)
        if len(value) > most:
            raise PydanticCustomError(
                "limit",
                "holds {count} {what}; the most is {most}",
                {
                    "count": f"{len(value):,}",
                    "what": what,
                    "most": f"{most:,}",
                },
            )
        return value

    return AfterValidator(check)


def _one_of(names: Sequence[str]) -> AfterValidator:
    def check(name: str) -> str:
        if name not in names:
            raise PydanticCustomError("enum", "unknown")
        return name

    return AfterValidator(check)


whole = BeforeValidator(_whole)
"""Marks an Int: ``Annotated[int, Field(ge=1, le=16), whole]``."""
Filled = Annotated[str, AfterValidator(_filled), Field(json_schema_extra={"minLength": 1})]
"""A required String: an empty one signs like null, so it counts as missing."""
Prompt = Annotated[str, _at_most("prompt_length", "characters"), AfterValidator(_no_nul)]
Prompts = Annotated[list[Prompt], _at_most("prompts", "prompts")]
Resize = Annotated[str, _one_of(RESIZE_MODES), Field(json_schema_extra={"enum": list(RESIZE_MODES)})]
ControlType = Annotated[str, _one_of(CONTROL_TYPES), Field(json_schema_extra={"enum": list(CONTROL_TYPES)})]
Images = Annotated[list[str], _at_most("images", "images"), Field(min_length=1)]


class Plain(GenerateJsonSchema):
    """JSON Schema as the documents show it: null is not a value but the absence of one, and names need no titles."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        made = super().default_schema(schema)
        if "default" in made and made["default"] is None:
            del made["default"]
        return made

    def field_is_required(
        self,
        field: core_schema.ModelField | core_schema.DataclassField | core_schema.TypedDictField,
        total: bool,
    ) -> bool:
        """In an answer everything is there but what may be None, which is left out."""
        inner = field["schema"]
        if self.mode == "serialization":
            return not (inner["type"] == "default" and inner.get("default", ...) is None)
        return super().field_is_required(field, total)

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def shown(value: object) -> str:
    """A value as a message repeats it: JSON's own spelling, short, never a picture."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return f"an array of {len(value)}"
    if isinstance(value, str):
        return '"' + (value if len(value) <= _SHOWN else value[: _SHOWN - 3] + "...") + '"'
    text = str(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def expected(declaration: Mapping[str, Any]) -> str:
    """In words, what a field declared by this piece of JSON Schema takes: ``an Int from 64 to 2560``."""
    if "const" in declaration:
        return f'"{declaration["const"]}"'
    if "enum" in declaration:
        return "one of " + ", ".join(declaration["enum"])
    kind = declaration.get("type")
    if kind == "array":
        few, most = declaration.get("minItems"), declaration.get("maxItems")
        size = f" of {few} to {most}" if most is not None else f" of at least {few}" if few else ""
        return f"an array{size}, each {expected(declaration['items'])}"
    low, high = declaration.get("minimum"), declaration.get("maximum")
    bounds = f" from {low:g} to {high:.10g}" if high is not None else f" of at least {low:g}" if low is not None else ""
    match kind:
        case "integer":
            return f"an Int{bounds}"
        case "number":
            return f"a Float{bounds}"
        case "boolean":
            return "true or false"
        case "string":
            most = declaration.get("maxLength")
            return f"a String of 1 to {most} characters" if most else "a String"
    return "an object"


def _fault(model: type[BaseModel], fault: ErrorDetails, named: Named) -> RestyleError:
    context = fault.get("ctx", {})
    if fault["type"] == "extra_forbidden":
        return unavailable(path(fault["loc"]), "it is no field of it; leave it out")
    field = named((*fault["loc"], *context.get("field", ())))
    declaration = _declaration(
        model.model_json_schema(schema_generator=Plain), (*fault["loc"], *context.get("field", ()))
    )
    wanted = expected(declaration)
    if fault["type"] in _MISSING:
        return RestyleError(Code.MISSING_PARAMETER, f"missing parameter {field}: give {wanted}", field=field)
    reason = fault["msg"] if fault["type"] == "limit" else f"is {shown(fault['input'])}; give {wanted}"
    return unavailable(field, f"it {reason}")


def _declaration(schema: Mapping[str, Any], parts: tuple[str | int, ...]) -> Mapping[str, Any]:
    """The piece of ``schema`` that declares the field at ``parts``."""
    here: Mapping[str, Any] = schema
    for part in parts:
        here = here["items"] if isinstance(part, int) else here["properties"][part]
        if "$ref" in here:
            here = schema["$defs"][here["$ref"].rpartition("/")[2]]
    return here
