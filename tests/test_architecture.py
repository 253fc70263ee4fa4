"""The walls between the rooms: who imports whom, read from every import statement and every ``module:function``."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "restyle"

WORDS = frozenset({"wire.codes", "wire.errors"})
"""What every room may say."""
FORMS = WORDS | {"wire.fields", "wire.names", "wire.ranges"}
"""Also how a field is declared, what the wire calls it, and the one table of ranges."""

ROOMS: dict[str, frozenset[str]] = {
    "wire": frozenset(),
    "settings": frozenset(),
    "private": WORDS,
    "tracing": WORDS,
    "images": WORDS | {"settings"},
    "storage": WORDS | {"settings"},
    "database": WORDS | {"private"},
    "accounts": WORDS | {"database", "private"},
    "models.files": WORDS,
    "models": WORDS | {"models.files", "private"},
    "prompts": WORDS | {"models.files", "private"},
    "engines": WORDS | {"images"},
    "engines.families": frozenset({"engines"}),
    "conversion": FORMS | {"engines", "engines.families", "images", "models", "prompts", "settings"},
    "queue": WORDS | {"accounts", "conversion", "database", "images", "private", "settings", "storage", "tracing"},
    "http": frozenset(
        {"wire", "accounts", "conversion", "database", "engines", "images", "private", "queue", "settings", "storage"}
        | {"styles", "tracing"}
    ),
    "studio": frozenset(
        {"wire", "accounts", "conversion", "database", "engines", "engines.families", "http", "images", "models"}
        | {"models.files", "private", "queue", "settings", "storage", "styles", "tracing"}
    ),
    "client": frozenset({"wire", "conversion", "images"}),
    "styles": FORMS | {"conversion", "images", "private"},
    "library": frozenset({"conversion", "engines", "images", "settings", "styles"}),
    "doctor": WORDS
    | {
        "accounts",
        "conversion",
        "database",
        "engines",
        "engines.families",
        "models",
        "models.files",
        "private",
        "settings",
        "storage",
    },
    "cli": frozenset(
        {"wire", "accounts", "client", "conversion", "database", "doctor", "engines", "engines.families"}
        | {"http", "images", "library", "models", "models.files", "private", "prompts", "settings", "studio", "styles"}
    ),
    "": frozenset({"cli", "client", "conversion", "library", "wire"}),
}
"""Room -> what it may import. ``engines`` is the contract and what engines share; each engine is a room of its own."""

BEGINS_WITH = {"engines.neighbour": "engines.brush"}
"""Engine -> another one, with whose picture it begins. All others know none but themselves."""

NEVER = {
    ("client", "http"),
    ("library", "http"),
    ("models", "engines"),
    ("conversion", "queue"),
    ("conversion", "http"),
    ("queue", "http"),
    ("http", "studio"),
}
"""Doors that must stay shut however the table grows."""

ONLY_SERVE_MAY = {"cli.serve"}
"""The command that starts the service is the one that knows it."""


def modules() -> dict[str, Path]:
    return {
        ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix("__init__").rstrip("."): path
        for path in SOURCE.rglob("*.py")
        if "versions" not in path.parts
    }


MODULES = modules()
ENGINES = {path.parent.name for path in SOURCE.glob("engines/*/family.py")}


def room_of(module: str) -> str:
    """The room that a module stands in: that of its longest beginning."""
    parts = module.split(".")
    if parts[0] == "migrations":
        return "database"  # its history
    if parts[0] == "engines" and len(parts) > 1 and parts[1] in ENGINES:
        return f"engines.{parts[1]}"
    for length in range(len(parts), 0, -1):
        if ".".join(parts[:length]) in ROOMS:
            return ".".join(parts[:length])
    return ""


def imports(path: Path) -> Iterator[str]:
    """The modules of ours that a file names, in imports at any depth and in strings such as ``restyle.a.b:c``."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{name.name}" for name in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from re.findall(r"^(restyle(?:\.\w+)+):\w+$", node.value)


@cache
def targets(path: Path) -> frozenset[str]:
    found = set()
    for name in imports(path):
        if name == "restyle" or not name.startswith("restyle."):
            continue
        inner = name.removeprefix("restyle.")
        while inner and inner not in MODULES:
            inner = inner.rpartition(".")[0]
        found.add(inner)
    return frozenset(found)


def allowed(room: str, target: str) -> bool:
    there = room_of(target)
    if there in (room, BEGINS_WITH.get(room)):
        return True
    own = ROOMS.get(room, ROOMS["engines"] | {"engines"})
    return any(target == one or there == one or (one not in ROOMS and target.startswith(f"{one}.")) for one in own)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_room_imports_only_what_the_table_lets_it(module: str) -> None:
    room = room_of(module)
    if module == "engines.families":
        assert targets(MODULES[module]) <= {f"engines.{name}.family" for name in ENGINES} | {"engines.base"}
        return
    loads = {
        f"engines.{room.removeprefix('engines.')}.engine"
    }  # a family names its engine, to be loaded where it draws
    wrong = {target for target in targets(MODULES[module]) - loads if target and not allowed(room, target)}
    if module in ONLY_SERVE_MAY:
        return
    wrong |= {target for target in targets(MODULES[module]) if room == "cli" and room_of(target) in ("http", "studio")}
    assert not wrong, f"{module} (room {room or 'root'}) may not import {', '.join(sorted(wrong))}"


def test_engines_are_rooms_of_their_own() -> None:
    assert {"painter", "neighbour", "diffusion"} <= ENGINES
    for module, path in MODULES.items():
        room = room_of(module)
        if room.removeprefix("engines.") in ENGINES:
            others = {room_of(target) for target in targets(path)} & {f"engines.{name}" for name in ENGINES} - {room}
            others -= {BEGINS_WITH.get(room)}
            assert not others, f"{module} knows {others}"


def test_no_room_leads_back_to_itself() -> None:
    edges: dict[str, set[str]] = {}
    for module, path in MODULES.items():
        room = room_of(module)
        edges.setdefault(room, set()).update(room_of(target) for target in targets(path) if target)
    for first, second in NEVER:
        assert second not in edges.get(first, set()), f"{first} imports {second}"
    below: dict[str, set[str]] = {}

    def reach(room: str, way: tuple[str, ...]) -> set[str]:
        assert room not in way, f"a circle: {' -> '.join((*way, room))}"
        if room not in below:
            nexts = edges.get(room, set()) - {room}
            below[room] = set().union(nexts, *(reach(one, (*way, room)) for one in nexts)) if nexts else set()
        return below[room]

    for room in edges:
        reach(room, ())


def test_no_library_loads_at_the_start_of_a_client(tmp_path: Path) -> None:
    """The client's import brings no engine, no database and no server with it."""
    import subprocess
    import sys

    code = (
        "import sys, restyle; restyle.Client; "
        "print([name for name in ('openvino', 'torch', 'sqlalchemy', 'fastapi', 'uvicorn') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.strip() == "[]"
