"""``restyle convert`` and ``restyle sheet``."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from restyle.cli.convert import photographs, plan
from tests.support import pictures
from tests.support.command import restyle
from tests.support.service import RunningService


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two photographs and a text in ``in``, a style beside it."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpg").write_bytes(pictures.encode(pictures.picture(70, 90), "JPEG"))
    (tmp_path / "in" / "b.png").write_bytes(pictures.encode(pictures.picture(80, 64), "PNG"))
    (tmp_path / "in" / "notes.txt").write_text("nothing to see")
    (tmp_path / "style.webp").write_bytes(pictures.encode(pictures.picture(64, 64, seed=3), "WEBP"))
    return tmp_path


def test_one_photograph_beside_itself(folder: Path) -> None:
    ran = restyle("convert", "in/b.png", "--style", "style.webp", "--strength", "0", "--seed", "7", folder=folder)
    assert (ran.code, ran.err) == (0, "")
    assert "in/b.restyled.png  64x80" in ran.out
    with Image.open(folder / "in" / "b.restyled.png") as image:
        assert np.array_equal(np.asarray(image), pictures.picture(80, 64))
        assert "Seed: 7" in image.info["parameters"]


def test_a_folder_with_json(folder: Path) -> None:
    options = ("--batch", "2", "--seed", "5", "--width", "100", "--height", "64", "--json")
    done = restyle("convert", "in", "-s", "style.webp", "-o", "out", *options, folder=folder).json()
    assert [record["Raw"] for record in done] == ["in/a.jpg", "in/b.png"]
    assert done[0]["Results"] == ["out/a.restyled-1.png", "out/a.restyled-2.png"]
    assert (done[1]["Width"], done[1]["Height"], done[1]["SeedList"]) == (100, 64, [5, 6])
    assert sorted(path.name for path in (folder / "out").iterdir()) == [
        f"{name}.restyled-{n}.png" for name in "ab" for n in (1, 2)
    ]


def test_one_broken_photograph_does_not_stop_the_others(folder: Path) -> None:
    (folder / "in" / "a.jpg").write_bytes(b"text")
    ran = restyle("convert", "in", "-s", "style.webp", folder=folder)
    assert ran.code == 2
    assert len(ran.err.splitlines()) == 1
    assert "in/a.jpg: raw is not a readable picture" in ran.err
    assert (folder / "in" / "b.restyled.png").exists()


def test_through_a_service(folder: Path, service: RunningService) -> None:
    keys = {
        "RESTYLE_URL": service.url,
        "RESTYLE_PUBLIC_KEY": service.key.public_key,
        "RESTYLE_PRIVATE_KEY": service.key.private_key,
    }
    options = ("--seed", "9", "--strength", "0.4", "--resize-mode", "JustResize", "--preserve-color", "--keep-alpha")
    clear = np.dstack([pictures.picture(80, 64), np.full((80, 64), 90, np.uint8)])
    (folder / "in" / "b.png").write_bytes(pictures.encode(clear, "PNG"))
    there = restyle("convert", "in/b.png", "-s", "style.webp", "-o", "there.png", *options, folder=folder, **keys)
    assert (there.code, there.err) == (0, "")
    assert "Obedient" in restyle("models", "list", folder=folder, **keys).out
    restyle("convert", "in/b.png", "-s", "style.webp", "-o", "here.png", *options, folder=folder)
    assert (folder / "there.png").read_bytes() == (folder / "here.png").read_bytes()
    with Image.open(folder / "here.png") as image:
        assert np.array_equal(np.asarray(image)[..., 3], clear[..., 3])


def test_every_parameter_of_the_page_can_be_given(folder: Path) -> None:
    options: tuple[str, ...] = (
        "--prompt",
        "a cat",
        "--negative",
        "rain",
        "--no-translate",
        "--main-model-vae",
        "--json",
    )
    options += ("--steps", "9", "--sampler", "Euler a", "--clip-skip", "3", "--cfg-scale", "5", "--model", "Thorough")
    options += ("--sub-model", "ink=-0.5", "--sub-model", "charm")
    ran = restyle("convert", "in/b.png", "-s", "style.webp", "-o", "out.png", *options, folder=folder)
    assert (ran.code, ran.err) == (0, "")
    assert ran.json()[0]["Notices"] == ["use_main_model_vae is not used by Thorough", "drawn in 9 steps"]
    with Image.open(folder / "out.png") as image:
        prompt, negative, text = image.info["parameters"].split("\n")
    assert (prompt, negative) == ("a cat", "Negative prompt: rain")
    assert text.startswith(
        "Steps: 9, Sampler: Euler a, CFG scale: 5.0, Clip skip: 3, ink: lora -0.5 of ink, charm: embedding 1 of charm, "
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("in/a.jpg",), "--style"),
        (("nothing.jpg", "-s", "style.webp"), "nothing.jpg cannot be read: no such file or directory"),
        (("in/a.jpg", "-s", "style.webp", "--strength", "1.5"), "strength not available: it is 1.5"),
        (("in/a.jpg", "-s", "style.webp", "--width", "10"), "width not available"),
        (("in/a.jpg", "-s", "style.webp", "--model", "none"), "ModelCode"),
        (("in/a.jpg", "-s", "style.webp", "--steps", "5"), "model.InferenceParams.Steps not available"),
        (("in/a.jpg", "-s", "style.webp", "--sub-model", "ink=much"), '"much" is not a weight'),
        (("in/a.jpg", "-s", "style.webp", "-o", "out.jpg"), "PNG"),
        (("in", "-s", "style.webp", "-o", "out.png"), "2 pictures do not fit into out.png"),
        (("in/b.png", "-s", "style.webp", "-o", "in/b.png"), "in/b.png would be overwritten"),
        (("in/a.jpg", "-s", "style.webp", "--url", "http://127.0.0.1:9"), "--public-key"),
        (("in/a.jpg", "-s", "style.webp", "-o", "style.webp/x.png"), "style.webp/x.png cannot be written"),
    ],
)
def test_errors_are_one_line_and_code_2(folder: Path, arguments: tuple[str, ...], says: str) -> None:
    ran = restyle("convert", *arguments, folder=folder)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("restyle: ")
    assert len(ran.err.splitlines()) == 1
    assert says in ran.err


def test_folders_are_read_without_earlier_results(folder: Path) -> None:
    for name in ("a.restyled.png", ".hidden.png", "c.TIF"):
        (folder / "in" / name).touch()
    assert [path.name for path in photographs([folder / "in"])] == ["a.jpg", "b.png", "c.TIF"]


def test_every_photograph_meets_every_style() -> None:
    works = plan([Path("x/a.jpg"), Path("b.png")], [Path("oil.jpg"), Path("ink.jpg")], None, 1)
    assert [str(work.results[0]) for work in works] == [
        "x/a.oil.restyled.png",
        "x/a.ink.restyled.png",
        "b.oil.restyled.png",
        "b.ink.restyled.png",
    ]


def test_sheet(folder: Path) -> None:
    made = restyle(
        "sheet", "in/a.jpg", "style.webp", "in/b.png", "-o", "new/s.jpg", "--height", "64", "--json", folder=folder
    )
    with Image.open(folder / "new" / "s.jpg") as image:
        assert image.size == (made.json()["Width"], made.json()["Height"])
    wrong = restyle("sheet", "in/a.jpg", "style.webp", folder=folder)
    assert (wrong.code, "no rows of three" in wrong.err) == (2, True)


def test_a_folder_is_searched_by_every_name_of_a_format(tmp_path: Path) -> None:
    names = ["a.jfif", "b.jpe", "c.HEIC", "d.heif", "e.TIF", "f.avif"]
    for name in (*names, "g.dng", "h.txt"):
        (tmp_path / name).write_bytes(b"")
    assert [path.name for path in photographs([tmp_path])] == names
