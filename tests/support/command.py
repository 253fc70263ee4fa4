"""The command ``restyle`` as a user runs it: in a process of its own, or, sooner, in this one."""

import contextlib
import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from restyle.cli.app import main
from tests.support.engines import REGISTRY
from tests.support.nursery import COMMAND, fork
from tests.support.patience import PATIENCE

ROOT = Path(__file__).parents[2]
PYTHONPATH = f"{ROOT / 'src'}{os.pathsep}{ROOT}"
"""Where processes that tests start find this very checkout, whatever is installed, and the tests' own engines."""


DATA = {"RESTYLE_DATA_DIR": "restyle-data"}
"""Where commands keep what they keep unless a test says otherwise: in the folder they run in, in nobody's home."""


@dataclass(frozen=True)
class Ran:
    """How it went."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        assert self.code == 0, self
        return json.loads(self.out)


def environment(**variables: str) -> dict[str, str]:
    """Of the command: the obedient engine, and nothing of ours from outside."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RESTYLE_")}
    return {**inherited, "PYTHONPATH": PYTHONPATH, "RESTYLE_REGISTRY": REGISTRY, **DATA, **variables}


def restyle(*arguments: str | Path, folder: Path, **variables: str | None) -> Ran:
    """Run the command in ``folder`` to its end, in this process: its own words, files and exit code.

    A variable of None is not set, whatever there is by default.
    """
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.chdir(folder)
        for name in [name for name in os.environ if name.startswith("RESTYLE_")]:
            patch.delenv(name)
        for name, value in {"RESTYLE_REGISTRY": REGISTRY, **DATA, **variables}.items():
            if value is not None:
                patch.setenv(name, value)
        patch.setattr(sys, "argv", ["restyle", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
    assert isinstance(ended.value.code, int)
    return Ran(ended.value.code, out.getvalue(), err.getvalue())


@contextmanager
def started(*arguments: str | Path, folder: Path, **variables: str) -> Iterator["subprocess.Popen[str]"]:
    """The command at work in ``folder``, as a process of its own, ended at the end of the block."""
    with subprocess.Popen(
        [sys.executable, "-m", "restyle", *arguments],
        cwd=folder,
        env=environment(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def serving(
    folder: Path, *arguments: str, lines: int = 1, terminal: bool = False, **variables: str
) -> Iterator[list[str]]:
    """``restyle serve`` on any free port: its first ``lines`` lines. Ended with SIGTERM.

    It writes to a pipe, or to a ``terminal``.
    """
    reading, writing = pty.openpty() if terminal else os.pipe()
    with (folder / "serve.log").open("a") as errors, open(reading, encoding="utf-8") as said:
        with open(writing, "w", encoding="utf-8") as saying:
            process = fork(
                COMMAND,
                *("restyle", "serve", "--port", "0", *arguments),
                environment=environment(RESTYLE_WORKERS="1", **variables),
                stdout=saying,
                stderr=errors,
                folder=folder,
            )
        try:
            yield [said.readline().rstrip("\r\n") for _ in range(lines)]
        finally:
            process.terminate()
            assert process.wait(PATIENCE) == 0, (folder / "serve.log").read_text()
