"""Library and command call nobody but this machine, with the painter; so do all services and engines of the suite."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from restyle.images.encode import encode_png
from tests.support.patience import PATIENCE
from tests.support.pictures import picture
from tests.support.silence import silent

LIBRARY = """
import restyle
restyle.convert("raw.png", "style.png")[0].save("drawn.png")
"""
COMMAND = """
import sys
from restyle.cli.app import main
sys.argv = ["restyle", "convert", "raw.png", "--style", "style.png", "--output", "drawn.png"]
main()
"""
CALL = "import socket; socket.getaddrinfo('example.invalid', 80)"


def run(program: str, folder: Path, *, writable: bool = True) -> None:
    for name, seed in (("raw", 1), ("style", 2)):
        (folder / f"{name}.png").write_bytes(encode_png(picture(64, 64, seed=seed)))
    own = {name: value for name, value in os.environ.items() if not name.startswith("RESTYLE_")}
    with silent(folder, writable=writable) as silence:
        ran = subprocess.run(
            [sys.executable, "-c", program],
            cwd=folder,
            env={**own, **silence, "RESTYLE_DATA_DIR": str(folder / "data")},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize(("program", "writable"), [(LIBRARY, True), (COMMAND, False)], ids=["library", "command"])
def test_the_painter_calls_nobody_and_leaves_the_home_alone(program: str, writable: bool, tmp_path: Path) -> None:
    run(program, tmp_path, writable=writable)
    assert (tmp_path / "drawn.png").exists()


@pytest.mark.parametrize(
    ("program", "seen"),
    [
        ("import os, socket; os.fork() or socket.getaddrinfo('example.invalid', 80)", r"called: .*example\.invalid"),
        (
            "import os, socket; socket.create_connection(os.environ['HTTPS_PROXY'].removeprefix('http://').split(':'))",
            "asked",
        ),
        ("from pathlib import Path; (Path.home() / 'id').touch()", "written: .*id"),
    ],
    ids=["call", "proxy", "home"],
)
def test_what_must_not_happen_would_be_seen(program: str, seen: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=seen):
        run(program, tmp_path)
