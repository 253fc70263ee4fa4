"""Requests that an OpenAPI document allows, and such that it nearly does."""

import json
import string
from typing import Any

from hypothesis import strategies as st

from restyle.wire.names import DEFAULT_MODEL
from tests.support.engines import OBEDIENT
from tests.support.service import PICTURE

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.sampled_from([PICTURE, OBEDIENT, "\0", "../../key", "' OR 1=1 --", "{{7*7}}", "%s%n", "\u202e", "x" * 5000]),
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
"""A JSON value."""
KNOWN: dict[str, st.SearchStrategy[Any]] = {
    "ModelCode": st.sampled_from([OBEDIENT, DEFAULT_MODEL, "nobody's"]),
    "ImageList": st.lists(st.just(PICTURE), min_size=1, max_size=2),
    "StyleImage": st.just(PICTURE),
    "RawImageIndex": st.integers(0, 1),
    "StyleImageIndex": st.integers(0, 1),
    "Width": st.integers(64, 80),
    "Height": st.integers(64, 80),
    "BatchSize": st.integers(1, 2),
}
"""Fields for which what a document allows would hardly ever come as far as the service goes."""


def allowed(schema: dict[str, Any], document: dict[str, Any], name: str = "") -> st.SearchStrategy[Any]:
    """Values of a schema. Raises AssertionError for a kind of schema that the document did not have so far."""
    if name in KNOWN:
        return KNOWN[name]
    if "$ref" in schema:
        return allowed(document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], document)
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema.get("type"):
        case "object":
            inside = {
                each: allowed(inner, document, each)
                for each, inner in schema["properties"].items()
                if each not in ("PublicKey", "Signature")
            }
            required = set(schema.get("required", ())) & set(inside)
            return st.fixed_dictionaries(
                {each: inside[each] for each in required},
                optional={each: inside[each] for each in inside if each not in required},
            )
        case "array":
            inner = allowed(schema["items"], document)
            return st.lists(inner, min_size=schema.get("minItems", 0), max_size=min(schema.get("maxItems", 3), 3))
        case "string":
            return st.text(min_size=schema.get("minLength", 0), max_size=min(schema.get("maxLength", 20), 20))
        case "integer":
            return st.integers(schema.get("minimum"), schema.get("maximum"))
        case "number":
            return st.floats(schema.get("minimum"), schema.get("maximum"), allow_nan=False, allow_infinity=False)
        case "boolean":
            return st.booleans()
    raise AssertionError(f"no values for {schema}")


@st.composite
def bodies(draw: st.DrawFn, document: dict[str, Any]) -> dict[str, Any]:
    """A body of one of the actions: as the document allows it, or with a few fields that are anything, or missing."""
    content = document["paths"]["/"]["post"]["requestBody"]["content"]["application/json"]
    body: dict[str, Any] = draw(allowed(draw(st.sampled_from(content["schema"]["oneOf"])), document))
    for name in draw(st.lists(st.sampled_from(sorted(body)), max_size=2)):
        if draw(st.booleans()):
            body[name] = draw(ANYTHING)
        elif name != "Action":
            body.pop(name, None)
    if draw(st.booleans()):
        body.pop("request_uuid", None)  # without one, a submission is never a repetition
    return body


@st.composite
def damaged(draw: st.DrawFn, body: dict[str, Any]) -> bytes:
    """The bytes of a signed body, changed after it was signed."""
    raw = bytearray(json.dumps(body, ensure_ascii=draw(st.booleans())).encode())
    if draw(st.booleans()):  # one digit of the signature, which comes last: what is left is a body, of somebody else
        at = len(raw) - draw(st.integers(3, 40))
        raw[at : at + 1] = b"1" if raw[at : at + 1] == b"0" else b"0"
        return bytes(raw)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(raw)))
        piece = draw(st.binary(max_size=4) | st.sampled_from([b'"', b"{", b"]", b",", b"\\u", b"1e999", b"NaN", b"\0"]))
        raw[at : at + draw(st.integers(0, 6))] = piece
    return bytes(raw)


PATHS = st.text(st.sampled_from(string.ascii_letters + string.digits + "/.%-_~!$&'()*+,;=:@ ?#\\"), max_size=30)
"""What may stand in a path."""
