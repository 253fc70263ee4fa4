import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restyle.wire.parse import MAX_COMMAS, MAX_DEPTH, NotAnObjectError, parse


def nested(levels: int) -> bytes:
    return b'{"a":' * (levels - 1) + b"{}" + b"}" * (levels - 1)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "empty"),
        (b" \r\n\t ", "empty"),
        (b"hello", "not JSON"),
        (b'{"a":1', "not JSON"),
        (b'{"a":1}}', "not JSON"),
        (b"{'a':1}", "not JSON"),
        (b'{"a":1,}', "not JSON"),
        (b'{"a":"\n"}', "not JSON"),
        (b"\xef\xbb\xbf{}", "BOM"),
        (b'{"a":"\xff"}', "not UTF-8"),
        (b'{"a":"\xed\xa0\x80"}', "not UTF-8"),
        ('{"a":1}'.encode("utf-16"), "not UTF-8"),
        (b"[]", "array"),
        (b'"text"', "string"),
        (b"5", "number"),
        (b"null", "literal"),
        (b'{"a":1,"a":1}', "twice"),
        (b'{"b":{"a":1,"c":2,"a":3}}', "twice"),
        (b'{"a":NaN}', "NaN"),
        (b'{"a":Infinity}', "Infinity"),
        (b'{"a":-Infinity}', "Infinity"),
        (b'{"a":1e400}', "too large"),
        (b'{"a":' + b"9" * 5000 + b"}", "4,300 digits"),
        (b'{"a":"\\ud800"}', "surrogate"),
        (b'{"\\udc00":1}', "surrogate"),
        (b'{"a":[{"b":"x\\udfff"}]}', "surrogate"),
        (nested(MAX_DEPTH + 1), "nested deeper"),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested deeper"),
        (b'{"a":[' + b"0," * MAX_COMMAS + b"0,0]}", "values"),
    ],
)
def test_what_is_not_one_object_is_refused_with_a_reason(raw: bytes, reason: str) -> None:
    with pytest.raises(NotAnObjectError, match=reason) as caught:
        parse(raw)
    assert len(str(caught.value)) < 160


@pytest.mark.parametrize(
    ("raw", "body"),
    [
        (b"{}", {}),
        (b' {"a" : [1, 2.5, null, true, "x"]} \n', {"a": [1, 2.5, None, True, "x"]}),
        (b'{"a":"\\ud83d\\ude00"}', {"a": "😀"}),
        (b'{"a":1e22}', {"a": 1e22}),
        (b'{"a":{"a":1},"b":{"a":1}}', {"a": {"a": 1}, "b": {"a": 1}}),
        (bytearray(b'{"a":"\xe4\xb8\xad"}'), {"a": "中"}),
    ],
)
def test_one_object_is_read(raw: bytes, body: dict[str, Any]) -> None:
    assert parse(raw) == body


def test_the_deepest_level_counts() -> None:
    assert parse(nested(MAX_DEPTH)) == json.loads(nested(MAX_DEPTH))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(st.dictionaries(st.text(), values, max_size=4))
def test_every_object_that_json_can_write_is_read_back(body: dict[str, Any]) -> None:
    assert parse(json.dumps(body, ensure_ascii=False).encode()) == body


@given(st.binary(max_size=64))
def test_no_bytes_make_it_fail_in_another_way(raw: bytes) -> None:
    with contextlib.suppress(NotAnObjectError):
        assert isinstance(parse(raw), dict)
