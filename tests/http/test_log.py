"""The log of a service, where it cannot be written."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from restyle.http.log import configure
from restyle.settings import Settings


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[int]:
    """The file descriptor that lines go to: of a disk that is full, at first."""
    before = structlog.get_config()
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stderr", full)
        configure(Settings(data_dir=tmp_path, log_format="json"))
        yield full.fileno()
    structlog.configure(**before)


def test_a_log_that_cannot_be_written_ends_nothing_and_is_told_of_later(configured: int, tmp_path: Path) -> None:
    log = structlog.get_logger("test")
    log.info("first")
    try:
        raise ValueError("x")
    except ValueError:
        log.exception("second")
    file = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    os.dup2(file, configured)
    os.close(file)
    log.info("third")
    log.info("fourth")
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    (told,) = [line for line in lines if line["event"] == "the log could not be written for a while"]
    assert told["lines"] == 2
    assert lines[-1]["event"] == "fourth"
