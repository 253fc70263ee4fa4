"""Every command where it may not write or read, and on broken files: one line that says why, never a traceback."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from restyle.cli.app import app
from tests.support import pictures
from tests.support.command import Ran, restyle
from tests.support.strangers import needs_root, nobody

COMMANDS: dict[str, tuple[str, ...]] = {
    "convert": ("in/a.png", "-s", "in/a.png", "-o", "kept/a.png"),
    "sheet": ("in/a.png", "in/a.png", "in/a.png", "-o", "kept/sheet.png"),
    "tasks list": (),
    "tasks show": ("x",),
    "tasks cancel": ("x",),
    "tasks fetch": ("x", "-o", "kept"),
    "serve": ("--port", "0"),
    "keys create": (),
    "keys list": (),
    "keys rename": ("x", "y"),
    "keys rotate": ("x",),
    "keys disable": ("x",),
    "keys enable": ("x",),
    "keys priority": ("x", "1"),
    "keys reseal": ("kept/key",),
    "fleet machines": (),
    "fleet migrate": (),
    "styles add": ("ink", "in/a.png"),
    "styles list": (),
    "styles show": ("ink",),
    "styles export": ("ink", "-o", "kept/ink.zip"),
    "styles import": ("in/a.png",),
    "styles remove": ("ink",),
    "credits show": ("x",),
    "credits give": ("x", "1"),
    "credits take": ("x", "1"),
    "models list": (),
    "models add": ("in/a.png", "--code", "x"),
    "models install": ("neighbour", "--from", "in/a.png"),
    "models sets": (),
    "models calibrate": ("x",),
    "models show": ("x",),
    "models verify": ("x",),
    "models remove": ("x",),
    "languages install": ("zh", "--from", "in/a.png"),
    "languages list": (),
    "languages remove": ("zh",),
    "doctor": (),
}
SERVICE = {"RESTYLE_URL": "", "RESTYLE_PUBLIC_KEY": "", "RESTYLE_PRIVATE_KEY": ""}


@pytest.fixture
def folder(open_path: Path) -> Path:
    """Pictures to read in ``in``, one of them root's alone, and a folder ``kept`` that is root's to write."""
    for name in ("in", "kept", "locked"):
        (open_path / name).mkdir()
    for name in ("in/a.png", "in/secret.png", "locked/a.png"):
        (open_path / name).write_bytes(pictures.encode(pictures.picture(64, 64), "PNG"))
    (open_path / "in" / "secret.png").chmod(0o600)
    (open_path / "locked").chmod(0o700)
    return open_path


def well_said(ran: Ran) -> None:
    """Either it went well, or one line says why not; of the doctor, what it found."""
    if ran.out.startswith("well") or (ran.code == 0 and ran.out):
        return
    lines = [line for line in ran.err.splitlines() if not line.startswith('{"')]  # what a service logs
    assert ran.code in (2, 3, 4, 5, 7), ran
    assert len(lines) == 1, ran
    assert lines[0].startswith("restyle: "), ran
    assert "Traceback" not in ran.err + ran.out


def leaves(group: Any, path: str = "") -> Iterator[str]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from leaves(command, f"{path}{name} ")
        else:
            yield f"{path}{name}"


def test_every_command_is_tried_here() -> None:
    assert set(leaves(typer.main.get_command(app))) == set(COMMANDS)


def every(folder: Path, data: Path) -> dict[str, Ran]:
    return {
        name: restyle(*name.split(), *arguments, folder=folder, **SERVICE, RESTYLE_DATA_DIR=str(data))
        for name, arguments in COMMANDS.items()
    }


def garbage(data: Path) -> None:
    (data / "models").mkdir(parents=True)
    (data / "models" / "catalogue.toml").write_bytes(b"\xff\0[[[")
    (data / "restyle.sqlite3").write_bytes(os.urandom(9000))
    (data / "key").write_bytes(b"\0")


def folders(data: Path) -> None:
    for name in ("models/catalogue.toml", "restyle.sqlite3", "key", "languages/zh"):
        (data / name).mkdir(parents=True)


def files(data: Path) -> None:
    data.mkdir()
    for name in ("models", "languages", "restyle.sqlite3"):
        (data / name).write_text("text")
    (data / "key").symlink_to("key")


@pytest.mark.parametrize("spoil", [garbage, folders, files, Path.touch, lambda data: data.symlink_to(data)])
def test_every_command_on_broken_files(folder: Path, spoil: Any) -> None:
    spoil(folder / "data")
    for ran in every(folder, folder / "data").values():
        well_said(ran)


@needs_root
@pytest.mark.parametrize("mode", [0o700, 0o755])
def test_every_command_as_another_user(folder: Path, mode: int) -> None:
    data = folder / "data"
    assert restyle("keys", "create", folder=folder, RESTYLE_DATA_DIR=str(data)).code == 0
    for path in (data, *data.rglob("*")):
        path.chmod(mode)
    with nobody():
        found = every(folder, data)
    for ran in found.values():
        well_said(ran)
    for name in ("convert", "sheet", "serve", "keys create", "keys list"):
        assert found[name].code == 5, found[name]
    assert not list((folder / "kept").iterdir())


@needs_root
def test_what_another_user_may_not_read_or_write_is_said_before_anything_is_drawn(folder: Path) -> None:
    def run(*arguments: str) -> Ran:
        return restyle("convert", *arguments, "-s", "in/a.png", folder=folder, RESTYLE_DATA_DIR=str(folder / "none"))

    with nobody():
        unwritable, unreadable, locked = run("in"), run("in/secret.png", "-o", "/tmp"), run("locked", "-o", "/tmp")
    assert unwritable.code == 5
    assert unwritable.err == "restyle: in/a.restyled.png cannot be written: in: permission denied\n"
    assert unreadable.code == 3
    assert unreadable.err == "restyle: in/secret.png cannot be read: permission denied\n"
    assert locked.err.endswith("the folder locked cannot be read: permission denied\n")
