"""The examples do what they say: the demo as a user runs it, the painters, the pictures that ship."""

import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import httpx
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from tests.support.command import PYTHONPATH
from tests.support.engines import REGISTRY
from tests.support.patience import PATIENCE
from tests.test_docs import README, load

EXAMPLES = Path(__file__).parent.parent / "examples"
STYLES = EXAMPLES.parent / "src" / "restyle" / "styles" / "pictures"
PICTURES = sorted(STYLES.glob("*.jpg"))

VECTORS = [
    ({"Action": "ListModels"}, "4a20bc1141494035f6aaaad13224c94c5a8bc3a5"),
    (
        {"Action": "ListModels", "request_uuid": "8482d350-04f9-421b-817b-1d98b3a4dcfa"},
        "361ca961378e6c29734285734fb7bba88f51ac61",
    ),
    (
        {"Action": "ListTasksDetails", "TaskUIDList": ["cktlm6lrh4miq8ng9nf0", "ckti5nf2h4keq8mr9n00"]},
        "10b12fc65867eb8198a6816ffbf041d09ac79bb2",
    ),
]


@pytest.fixture
def examples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Import as a script in ``examples`` does."""
    monkeypatch.syspath_prepend(EXAMPLES)


@pytest.fixture
def painters(examples: None) -> ModuleType:
    return load(EXAMPLES / "paint_styles.py")


def pixels(picture: Image.Image) -> npt.NDArray[np.int16]:
    return np.asarray(picture.convert("RGB"), np.int16)


def read(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        picture.load()
        return picture


def run_demo(out: Path, *options: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(EXAMPLES / "demo.py"), "--out", str(out), "--size", "256", *options]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=PATIENCE)


def test_the_demo_leaves_pictures_and_a_sheet(tmp_path: Path) -> None:
    command = [sys.executable, str(EXAMPLES / "demo.py"), "--out", str(tmp_path), "--size", "256", "--stay"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if line.startswith("  PrivateKey"):
                break
        studio = re.search(r"The Studio: (http://\S+)", said)
        assert studio is not None, said
        assert httpx.get(studio[1], follow_redirects=True, timeout=PATIENCE).url.path == "/studio/sign-in"
        process.terminate()
        assert process.wait(PATIENCE) == 0
    results = sorted(tmp_path.glob("*.png"))
    assert [path.name for path in results] == [
        "astronaut-bay-woodcut.png",
        "astronaut-river-inkwash.png",
        "chelsea-vase-pastel.png",
        "chelsea-window-glass.png",
    ]
    pictures = [pixels(read(path)) for path in results]
    assert all(picture.shape == (256, 256, 3) for picture in pictures)
    assert all(np.abs(pictures[0] - other).mean() > 10 for other in pictures[1:])
    assert read(tmp_path / "sheet.jpg").width > 3 * 256
    assert str(tmp_path / "sheet.jpg") in said
    assert "Finished [########################] 100%" in said


@pytest.mark.parametrize(
    ("options", "environment", "reason"),
    [
        ((), {"RESTYLE_WORKERS": "0"}, "RESTYLE_WORKERS"),
        (
            ("--size", "63"),
            {"RESTYLE_REGISTRY": REGISTRY, "PYTHONPATH": PYTHONPATH},  # no engine has to be loaded for that
            "ApplyReferenceStyle was refused with RetCode 230: ",
        ),
    ],
    ids=["the service does not start", "a request is refused"],
)
def test_the_demo_says_why_it_fails(
    tmp_path: Path, options: tuple[str, ...], environment: dict[str, str], reason: str
) -> None:
    done = run_demo(tmp_path, *options, **environment)
    assert done.returncode == 1
    assert done.stderr.startswith("demo failed: ")
    assert reason in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(("body", "signature"), VECTORS)
def test_the_demo_signs_as_published(examples: None, body: dict[str, object], signature: str) -> None:
    assert load(EXAMPLES / "demo.py").sign({**body, "PublicKey": "abcdefg"}, "123456") == signature


def test_the_demo_prints_numbers_as_the_rule_says(examples: None) -> None:
    sign = load(EXAMPLES / "demo.py").sign
    assert sign({"StyleReferStrength": 1.0}, "") == sign({"StyleReferStrength": 1}, "")
    assert sign({"StyleReferStrength": 1e-05}, "") == sign({"StyleReferStrength": "0.00001"}, "")


def test_style_pictures_ship_in_several_shapes() -> None:
    shapes = [read(path).size for path in PICTURES]
    assert any(width >= 2 * height for width, height in shapes)
    assert any(height >= 1.5 * width for width, height in shapes)
    assert all(min(size) >= 500 for size in shapes)
    assert sum(path.stat().st_size for path in PICTURES) < 3_000_000


def test_every_style_picture_has_a_painter(painters: ModuleType) -> None:
    assert {path.stem for path in PICTURES} == set(painters.MEDIA)


def test_the_script_paints_the_pictures_that_ship_and_a_seed_decides_them(painters: ModuleType) -> None:
    first, again, other, glass = (
        pixels(painters.paint(name, seed))
        for name, seed in (("river-inkwash", None), ("river-inkwash", 5), ("river-inkwash", 6), ("window-glass", None))
    )
    assert np.array_equal(first, again)
    assert np.abs(first - other).mean() > 2
    for painted, name in ((first, "river-inkwash"), (glass, "window-glass")):
        shipped = pixels(read(STYLES / f"{name}.jpg"))
        assert np.abs(painted - shipped).mean() < 6, name  # JPEG, and other processors' rounding


def test_an_unknown_picture_is_named(tmp_path: Path) -> None:
    command = [sys.executable, str(EXAMPLES / "paint_styles.py"), "--out", str(tmp_path), "sunset"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 2
    assert "no picture is called sunset" in done.stderr


def test_the_readme_says_where_every_photograph_comes_from(examples: None) -> None:
    text = README.read_text()
    for name, origin in load(EXAMPLES / "pictures.py").PHOTOGRAPHS.items():
        assert f"| `{name}` | {origin.title} | {origin.source} | {origin.licence} |" in text
