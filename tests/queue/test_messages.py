import json
from typing import Any

import pytest

from restyle.queue.messages import Done, Failed, Hindered, Progress, Ready, from_worker, plain
from restyle.wire.codes import Code

NAME = "0123456789abcdef"
FAILED = {"kind": "failed", "claim": NAME, "code": 5101, "message": None, "traceback": ""}
DONE = {"kind": "done", "claim": NAME, "notices": []}
PROGRESS = {"kind": "progress", "claim": NAME, "fraction": 0.5}
HINDERED = {"kind": "hindered", "claim": NAME, "key": "results/x", "size": 9, "reason": "full"}


@pytest.mark.parametrize(
    "message",
    [
        Ready(),
        Progress(claim=NAME, fraction=1),
        Done(claim=NAME, notices=["a", "ü"]),
        Failed(claim=NAME, code=Code.OUT_OF_MEMORY, message="m", traceback="t", last=True),
        Hindered(claim=NAME, key="k", size=None, reason="r"),
    ],
)
def test_what_a_worker_says_is_heard(message: Any) -> None:
    assert from_worker.validate_json(message.model_dump_json()) == message


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"[" * 100_000,
        "null",
        "[]",
        '"ready"',
        '{"kind": "ready", "more": 1}',
        '{"kind": "hello", "settings": {}}',
        '{"kind": "nobody"}',
        '{"claim": "0123456789abcdef"}',
        {**PROGRESS, "claim": "x"},
        {**PROGRESS, "claim": 5},
        {**PROGRESS, "fraction": "0.5"},
        {**PROGRESS, "fraction": True},
        {**PROGRESS, "fraction": 1.01},
        {**PROGRESS, "fraction": -1},
        json.dumps({**PROGRESS, "fraction": float("nan")}),
        {**DONE, "notices": "text"},
        {**DONE, "notices": [5]},
        {**DONE, "notices": ["a\0"]},
        {**DONE, "notices": ["\ud800"]},
        {**DONE, "notices": ["x" * 2001]},
        {**DONE, "notices": ["x"] * 1001},
        {**FAILED, "code": 1},
        {**FAILED, "code": 0},
        {**FAILED, "code": "5101"},
        {**FAILED, "message": 5},
        {**FAILED, "message": "x" * 2001},
        {**FAILED, "traceback": "x" * 20_001},
        {**FAILED, "last": 1},
        {**HINDERED, "size": -1},
        {**HINDERED, "size": 1.5},
        {**HINDERED, "reason": None},
    ],
)
def test_nonsense_is_refused_where_it_is_heard(body: Any) -> None:
    with pytest.raises(ValueError, match="validation error"):
        from_worker.validate_json(json.dumps(body) if isinstance(body, dict) else body)


def test_any_text_can_be_made_one_that_a_message_holds() -> None:
    text = plain("a\0b\ud800c" + "x" * 3000)
    assert text.startswith("a�b?c")
    assert len(text) == 2000
    Done(claim=NAME, notices=[text])
