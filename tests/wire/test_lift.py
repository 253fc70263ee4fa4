import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restyle.wire import lift as lifting
from restyle.wire.errors import RestyleError
from restyle.wire.lift import LONG, lift
from restyle.wire.parse import NotAnObjectError, parse

LONG_TEXT = "A+/=" * (LONG // 4)


@pytest.mark.parametrize(
    "body",
    [
        {"ImageList": [LONG_TEXT, LONG_TEXT + "B"], "x": 1},
        {"a": {"b": [[LONG_TEXT]]}, "c": LONG_TEXT[1:]},
        {"é": LONG_TEXT, 'quote"d\\': LONG_TEXT, "": ""},
        {"before": 'ends in a backslash \\\\"\\', "x": LONG_TEXT, "after": '"' + LONG_TEXT},
        {"line\nbreaks": LONG_TEXT + "\n" + LONG_TEXT},
        {"chinese": "中" * LONG},
        {LONG_TEXT: LONG_TEXT},
        {LONG_TEXT: 1, "x": {LONG_TEXT: 2}},
    ],
)
def test_long_strings_are_read_like_all_others(body: dict[str, Any]) -> None:
    for ascii_only in (True, False):
        raw = json.dumps(body, ensure_ascii=ascii_only).encode()
        assert parse(raw) == body
        used = bytearray(raw)
        assert parse(used, use_up=True) == body
        assert used == b""


def test_a_picture_is_lifted_and_nothing_else() -> None:
    lifted = lift(json.dumps({"a": LONG_TEXT, "b": "short", "c": LONG_TEXT + "é", "d": LONG_TEXT + "\t"}).encode())
    assert list(lifted.texts.values()) == [LONG_TEXT]
    assert b"short" in lifted.rest


def test_a_picture_is_lifted_from_behind_strings_with_escapes() -> None:
    body = {"a": 'say "x" \\', "b\n": "\\" * 50, "c": LONG_TEXT, "d": '\\"' * 200_000, "e": LONG_TEXT}
    assert list(lift(json.dumps(body).encode()).texts.values()) == [LONG_TEXT, LONG_TEXT]


@pytest.mark.parametrize("piece", [b"\\\\", b'\\"', b'\\"A', b'","', b"\\u0041", b"[", b'{"":'])
def test_whatever_a_long_body_is_made_of_it_is_read_like_a_short_one(piece: bytes) -> None:
    """A body is taken, or refused in the same words, on both sides of the length from which pictures are lifted."""

    def answer(raw: bytes) -> object:
        try:
            return list(parse(raw))
        except RestyleError as error:
            return error.code

    for before, after in ((b'{"x":"', b'"}'), (b'{"x":"', b""), (b'{"x":', b"}"), (b"", b"")):
        short, long = (before + piece * (size // len(piece)) + after for size in (LONG // 2, 4 * LONG))
        assert answer(long) == answer(short)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda raw: raw[:-1], "not JSON"),
        (lambda raw: raw.replace(b'"x"', b'"x'), "not JSON"),
        (lambda raw: raw.replace(b"A+/=", b"A+\n=", 1), "not JSON"),
        (lambda raw: raw.replace(b"A+/=", b"A+\xff=", 1), "not UTF-8"),
        (lambda raw: raw.replace(b'"y"', b'"x"'), "twice"),
        (lambda raw: b"[" + raw + b"]", "array"),
        (lambda raw: raw.replace(b'"y": 1', b'"y": NaN'), "NaN"),
        (lambda raw: raw.replace(b'"y": 1', b'"y": "\\ud800"'), "surrogate"),
        (lambda raw: raw + b'"', "not JSON"),
    ],
)
def test_what_is_wrong_beside_a_picture_is_found(change: Any, reason: str) -> None:
    raw = json.dumps({"x": LONG_TEXT, "y": 1}).encode()
    assert parse(raw)
    with pytest.raises(NotAnObjectError, match=reason):
        parse(change(raw))


def test_a_fault_is_where_the_message_says() -> None:
    raw = b'{"x":"' + LONG_TEXT.encode() + b'",oops}'
    with pytest.raises(NotAnObjectError, match=f"at character {len(raw) - 5}"):
        parse(raw)


pieces = st.sampled_from(
    ['"', "\\", '\\"', "\\\\", "{", "}", "[", "]", ":", ",", "1", "a" * 9, "é", "\n", " ", '"a":"', "null"]
)


@given(st.lists(pieces, max_size=30).map("".join))
def test_lifting_never_changes_what_is_read(text: str) -> None:
    """Strings count as long from one character on, and the text is made of what strings begin, end and escape with."""
    raw = ('{"a":"' + text).encode()
    for whole in (raw, raw + b'"}', raw + b"}"):
        try:
            expected: object = json.loads(whole)
        except ValueError:
            expected = None
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(lifting, "LONG", 1)
            lifted = lift(whole)
        try:
            body = json.loads(lifted.rest)
        except ValueError:
            body = None
        assert (body is None) == (expected is None)
        if isinstance(body, dict) and lifted.put_back(body):
            assert body == expected
