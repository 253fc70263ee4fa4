"""The recipe repeats: twenty steps on a CPU, from pictures in a folder to weights that the engine reads."""

import io
import json
import tarfile
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from restyle.engines.base import Job, Style
from restyle.engines.brush.engine import Brush
from restyle.engines.brush.weights import read_weights
from tests.support.pictures import picture

if find_spec("torch") is None:
    pytest.skip("torch is not installed", allow_module_level=True)

import torch

from training import data, export
from training.__main__ import main
from training.balance import Balance
from training.checkpoint import read
from training.encoder import CONVOLUTIONS

FEW = ["--size", "32", "--batch", "3", "--width", "16", "--key", "8", "--art-side", "40", "--photo-side", "36"]
SHORT = ["--warm", "5", "--every", "10", "--balanced", "11", "--device", "cpu", "--threads", "1"]
SHORT += ["--rate", "2e-3", "--kernel-rate", "2e-3"]


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Artworks in a tar, photographs in a folder, and an eye of few channels with random weights."""
    folder = tmp_path_factory.mktemp("given")
    (folder / "photo").mkdir()
    with tarfile.open(folder / "art.tar", "w") as tar:
        for number in range(30):
            Image.fromarray(picture(36 + number, 50, seed=number)).save(folder / "photo" / f"{number}.jpg")
            file = io.BytesIO()
            Image.fromarray(255 - picture(50, 44 + number, seed=3 * number)[::-1]).save(file, "PNG")
            member = tarfile.TarInfo(f"{number}.png")
            member.size = len(file.getvalue())
            tar.addfile(member, io.BytesIO(file.getvalue()))
    random = np.random.default_rng(0)
    arrays: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float16]]] = {}
    for name, (inner, outer) in zip(CONVOLUTIONS, pairwise([3, 8, 8, 12, 12, 16, 16, 16, 24]), strict=True):
        kernel = random.normal(0, (2 / (9 * inner)) ** 0.5, (outer, inner, 3, 3))
        arrays |= {f"k{name}": kernel.astype(np.float16), f"b{name}": np.zeros(outer, np.float16)}
    np.savez(folder / "eye.npz", allow_pickle=False, **arrays)
    pictures = ["--art", str(folder / "art.tar"), "--photo", str(folder / "photo")]
    return [*pictures, "--encoder", str(folder / "eye.npz")]


@pytest.fixture(scope="module")
def out(given: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What twenty steps left."""
    folder = tmp_path_factory.mktemp("out")
    main(["run", *given, "--out", str(folder), "--steps", "20", *FEW, *SHORT])
    return folder


def lines(out: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def test_twenty_steps_leave_weights_that_draw(out: Path) -> None:
    brush = Brush(read_weights(out / "brush.safetensors", sha256=""), 1)
    raw, style = picture(64, 64), picture(70, 50, seed=9)
    [drawn] = brush.convert(Job(raw, (Style(style),), 1.0, (0,)), lambda fraction: None)
    assert drawn.shape == raw.shape
    assert drawn.std() > 5
    assert (out / "brush.safetensors").stat().st_size < 200_000


def test_the_terms_fall_and_are_told(out: Path) -> None:
    steps = [row for row in lines(out) if "step" in row]
    assert [row["step"] for row in steps] == [1, 11]
    first, last = steps
    terms = ("content", "structure", "moments", "gram", "sliced", "patches", "local", "identity")
    assert set(first) >= {"time", "norm", *terms}
    assert sum(last[name] < first[name] for name in terms) >= 5


def test_a_sheet_shows_pictures_held_back(out: Path) -> None:
    with Image.open(out / "sheet.jpg") as sheet:
        assert sheet.size == (7 * 32, 7 * 32)


def test_the_same_recipe_makes_the_same_weights(given: list[str], out: Path, tmp_path: Path) -> None:
    main(["run", *given, "--out", str(tmp_path), "--steps", "20", *FEW, *SHORT])
    ours, theirs = read(out / "state.pt"), read(tmp_path / "state.pt")
    assert ours.score == theirs.score
    assert all(torch.equal(value, theirs.average[name]) for name, value in ours.average.items())


@pytest.mark.parametrize("name", ["best.pt", "state.pt", "brush.safetensors"])
def test_another_run_goes_on(given: list[str], out: Path, tmp_path: Path, name: str) -> None:
    main(["run", *given, "--out", str(tmp_path), "--resume", str(out / name), "--steps", "2", *FEW, *SHORT])
    before = export.read(out / name) if name == "brush.safetensors" else read(out / name)
    after = read(tmp_path / "state.pt")
    assert after.step == before.step + 2
    assert after.scales == before.scales
    near = [(after.average[key] - value.float()).abs().max() for key, value in before.average.items()]
    assert 0 < max(near) < 0.05
    assert after.balance != {}


def test_noise_can_be_left_as_it_is(given: list[str], out: Path, tmp_path: Path) -> None:
    still = ["--resume", str(out / "state.pt"), "--still"]
    main(["run", *given, "--out", str(tmp_path), *still, "--steps", "2", *FEW, *SHORT])
    before, after = (read(folder / "state.pt").weights for folder in (out, tmp_path))
    assert before is not None
    assert after is not None
    moved = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert not any(name.startswith("noises") for name in moved)
    assert any(name.startswith("convolutions") for name in moved)


def test_weights_that_ship_are_the_checkpoint_they_were_made_of(out: Path) -> None:
    ours, theirs = export.read(out / "brush.safetensors"), read(out / "best.pt")
    assert ours.average.keys() == theirs.average.keys()
    for name, value in theirs.average.items():
        assert torch.allclose(ours.average[name], value.float(), atol=2e-3), name
    assert (ours.step, ours.channels, ours.recipe) == (theirs.step, theirs.channels, theirs.recipe)


def test_half_precision_learns_as_well(given: list[str], tmp_path: Path) -> None:
    """As on a GPU, which no test has."""
    main(["run", *given, "--out", str(tmp_path), "--steps", "2", "--half", *FEW, *SHORT])
    assert read(tmp_path / "best.pt").step == 2


def test_what_cannot_be_meant_is_refused(given: list[str], out: Path, tmp_path: Path) -> None:
    run = ["run", *given, "--out", str(tmp_path)]
    with pytest.raises(ValueError, match="--size must be a multiple of 16"):
        main([*run, "--size", "40"])
    with pytest.raises(ValueError, match=r"best\.pt has --width 16 --key 8, not 32 and 8"):
        main([*run, *FEW, "--width", "32", "--resume", str(out / "best.pt"), "--device", "cpu"])
    (tmp_path / "few").mkdir()
    with pytest.raises(ValueError, match="0 pictures; at least 24 are needed"):
        data.read([tmp_path / "few"], 32)


def test_what_is_not_finite_stops_the_run(given: list[str], tmp_path: Path) -> None:
    with pytest.raises(FloatingPointError, match="not finite"):
        main(["run", *given, "--out", str(tmp_path), "--steps", "20", *FEW, *SHORT, "--every", "1", "--rate", "1e30"])
    assert not (tmp_path / "brush.safetensors").exists()


def test_pictures_held_back_are_not_trained_on() -> None:
    pictures = [torch.full((3, 4, 4), n) for n in range(40)]
    trained, held = data.divided(pictures)
    assert len(held) == data.HELD_BACK
    assert {int(p[0, 0, 0]) for p in trained} | {int(p[0, 0, 0]) for p in held} == set(range(40))
    assert len(trained) + len(held) == 40


def test_terms_pull_with_their_shares() -> None:
    out = torch.ones(4, requires_grad=True)
    terms = {"content": (out * 3).sum(), "small": (out * 0.01).sum()}
    balance = Balance({"content": 1.0, "small": 0.5}, until=5)
    balance.measure(terms, out, 0)
    pulls = {name: balance.weights[name] * torch.autograd.grad(term, out)[0].norm() for name, term in terms.items()}
    assert pulls["small"] / pulls["content"] == pytest.approx(0.5)
    balance.measure({"content": out.sum() * 9, "small": out.sum()}, out, 10)
    assert balance.weights["small"] == pytest.approx(150)
