"""``restyle convert`` and ``restyle sheet``."""

import os
import resource
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from restyle.cli.photographs import Photograph, find
from restyle.cli.results import plan
from restyle.cli.words import in_options
from restyle.wire.names import DEFAULT_MODEL
from tests.support import engines, pictures
from tests.support.command import Ran, restyle
from tests.support.service import RunningService

LEFT_OUT = "restyle: left out: in/notes.txt: not named as a picture that can be read\n"


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
    options = ("--batch", "2", "--width", "100", "--height", "64", "--json")
    done = restyle("convert", "in", "-s", "style.webp", "-o", "out", *options, folder=folder).json()
    assert [record["Raw"] for record in done] == ["in/a.jpg", "in/b.png"]
    assert done[0]["Results"] == ["out/a.restyled-1.png", "out/a.restyled-2.png"]
    assert (done[1]["Width"], done[1]["Height"]) == (100, 64)
    first, second = done[0]["SeedList"]  # a seed not given is drawn once, for all photographs
    assert (second - first) % 2**31 == 1
    assert done[1]["SeedList"] == [first, second]
    assert sorted(path.name for path in (folder / "out").iterdir()) == [
        f"{name}.restyled-{n}.png" for name in "ab" for n in (1, 2)
    ]


def test_one_broken_photograph_does_not_stop_the_others(folder: Path) -> None:
    (folder / "in" / "a.jpg").write_bytes(b"text")
    ran = restyle("convert", "in", "-s", "style.webp", folder=folder)
    assert ran.code == 1
    assert ran.err.splitlines() == [
        "restyle: left out: in/notes.txt: not named as a picture that can be read",
        ran.err.splitlines()[1],
    ]
    assert ran.err.splitlines()[1].startswith("restyle: in/a.jpg is not a readable picture")
    assert (folder / "in" / "b.restyled.png").exists()


def test_through_a_service(folder: Path, service: RunningService) -> None:
    keys = {
        "RESTYLE_URL": service.url,
        "RESTYLE_PUBLIC_KEY": service.key.public_key,
        "RESTYLE_PRIVATE_KEY": service.key.private_key,
    }
    options: tuple[str, ...] = (
        "--seed",
        "9",
        "--strength",
        "0.4",
        "--resize-mode",
        "JustResize",
        "--preserve-color",
        "--keep-alpha",
    )
    options += ("--control-type", "depth", "--control-image", "style.webp", "--mask", "mask.png")
    closed = np.zeros((80, 64, 3), np.uint8)
    closed[:40] = 255
    (folder / "mask.png").write_bytes(pictures.encode(closed, "PNG"))
    clear = np.dstack([pictures.picture(80, 64), np.full((80, 64), 90, np.uint8)])
    (folder / "in" / "b.png").write_bytes(pictures.encode(clear, "PNG"))
    there = restyle("convert", "in/b.png", "-s", "style.webp", "-o", "there.png", *options, folder=folder, **keys)
    assert there.code == 0
    assert f"--control-image is not used by {DEFAULT_MODEL}" in there.err
    assert "Obedient" in restyle("models", "list", folder=folder, **keys).out
    restyle("convert", "in/b.png", "-s", "style.webp", "-o", "here.png", *options, folder=folder)
    assert (folder / "there.png").read_bytes() == (folder / "here.png").read_bytes()
    with Image.open(folder / "here.png") as image:
        assert np.array_equal(np.asarray(image)[..., 3], clear[..., 3])
        assert np.array_equal(np.asarray(image)[40:], clear[40:])
        assert not np.array_equal(np.asarray(image)[:40], clear[:40])


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
    assert ran.json()[0]["Notices"] == ["--main-model-vae is not used by Thorough", "drawn in 9 steps"]
    with Image.open(folder / "out.png") as image:
        prompt, negative, text = image.info["parameters"].split("\n")
    assert (prompt, negative) == ("a cat", "Negative prompt: rain")
    assert text.startswith(
        "Steps: 9, Sampler: Euler a, CFG scale: 5.0, Clip skip: 3, ink: lora -0.5 of ink, charm: embedding 1 of charm, "
    )


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("in/a.jpg",), 2, "--style"),
        (("nothing.jpg", "-s", "style.webp"), 3, "nothing.jpg cannot be read: no such file or directory"),
        (("in/a.jpg", "-s", "nothing.jpg"), 3, "in/a.jpg: nothing.jpg cannot be read: no such file or directory"),
        (("style.webp", "-s", "in/notes.txt"), 3, "style.webp: in/notes.txt is not a readable picture"),
        (("in/a.jpg", "-s", "style.webp", "--strength", "1.5"), 2, "in/a.jpg: --strength not available: it is 1.5"),
        (("in/a.jpg", "-s", "style.webp", "--width", "10"), 2, "--width not available"),
        (("in/a.jpg", "-s", "style.webp", "--batch", "17"), 2, "--batch not available"),
        (
            ("in/a.jpg", "-s", "style.webp", "--model", "none"),
            4,
            'no main model has the ModelCode "none"; `restyle models list` names',
        ),
        (
            ("in/a.jpg", "-s", "style.webp", "--model", "neighbour"),
            4,
            'the ModelCode "neighbour"; "Restyle Neighbour" is nearest to it; `restyle models list` names',
        ),
        (("in/a.jpg", "-s", "style.webp", "--steps", "5"), 2, "--steps not available"),
        (("in/a.jpg", "-s", "style.webp", "--sub-model", "none"), 4, "takes no sub-models; leave --sub-model empty"),
        (("in/a.jpg", "-s", "style.webp", "--sub-model", "ink=much"), 2, '"much" is not a weight'),
        (("in/a.jpg", "-s", "style.webp", "-o", "out.pgn"), 2, "results are PNG, JPEG or WebP files"),
        (("in/a.jpg", "-s", "style.webp", "-o", "out.jpg", "--keep-alpha"), 2, "JPEG has no transparency"),
        (("in/a.jpg", "-s", "style.webp", "-o", "out.png", "--format", "jpeg"), 2, "--format jpeg does not fit"),
        (("in", "-s", "style.webp", "-o", "out.png"), 2, "2 pictures do not fit into out.png"),
        (("in/b.png", "-s", "style.webp", "-o", "in/b.png"), 2, "in/b.png would be overwritten"),
        (("in/a.jpg", "-s", "style.webp", "--url", "http://127.0.0.1:9"), 2, "--public-key"),
        (("in/a.jpg", "-s", "style.webp", "-o", "style.webp/x.png"), 5, "style.webp/x.png cannot be written"),
        (("empty", "-s", "style.webp"), 2, "the folder empty holds no pictures"),
    ],
)
def test_errors_are_one_line_with_a_code_of_their_kind(
    folder: Path, arguments: tuple[str, ...], code: int, says: str
) -> None:
    (folder / "empty").mkdir()
    ran = restyle("convert", *arguments, folder=folder)
    assert (ran.code, ran.out) == (code, "")
    ran = Ran(ran.code, ran.out, ran.err.replace(LEFT_OUT, ""))
    assert ran.err.startswith("restyle: ")
    assert len(ran.err.splitlines()) == 1
    assert says in ran.err


def test_folders_are_read_without_earlier_results_and_what_is_left_out_is_named(folder: Path) -> None:
    for name in ("a.restyled.png", "a.restyled-2.png", ".hidden.png", "c.TIF"):
        (folder / "in" / name).touch()
    (folder / "in" / "loop.jpg").symlink_to("loop.jpg")
    os.mkfifo(folder / "in" / "pipe.jpg")  # which nobody ever writes into
    (folder / "in" / "deep" / "er").mkdir(parents=True)
    (folder / "in" / "deep" / "er" / "a.jpg").touch()
    found = find([folder / "in"])
    assert [photograph.path.name for photograph in found.photographs] == ["a.jpg", "b.png", "c.TIF"]
    left = {line.removeprefix(f"{folder}/in/").split(": ")[0]: line for line in found.left_out}
    earlier = {"a.restyled.png", "a.restyled-2.png"}
    assert set(left) == {*earlier, ".hidden.png", "deep", "loop.jpg", "notes.txt", "pipe.jpg"}
    assert all("an earlier result" in left[name] for name in earlier)
    assert "begins with a dot" in left[".hidden.png"]
    assert "neither a file nor a folder" in left["pipe.jpg"]
    assert "--recursive" in left["deep"]
    assert "too many levels" in left["loop.jpg"]
    deep = find([folder / "in"], recursive=True)
    assert [str(photograph.below / photograph.path.name) for photograph in deep.photographs] == [
        "a.jpg",
        "b.png",
        "c.TIF",
        "deep/er/a.jpg",
    ]


def test_results_of_a_folder_keep_its_order_and_none_is_lost(folder: Path) -> None:
    """Two photographs of one stem, folders in folders, and a result folder with a dot in its name."""
    (folder / "in" / "b.jpg").write_bytes((folder / "in" / "a.jpg").read_bytes())
    (folder / "in" / "deep").mkdir()
    (folder / "in" / "deep" / "a.jpg").write_bytes((folder / "in" / "a.jpg").read_bytes())
    ran = restyle("convert", "in", "-s", "style.webp", "-r", "-o", "2024.05.01", "--format", "webp", folder=folder)
    assert ran.code == 0
    written = sorted(str(path.relative_to(folder / "2024.05.01")) for path in (folder / "2024.05.01").rglob("*.*"))
    assert written == ["a.restyled.webp", "b.jpg.restyled.webp", "b.png.restyled.webp", "deep/a.restyled.webp"]


@pytest.mark.parametrize(("name", "kind"), [("made.jpg", "JPEG"), ("made.webp", "WEBP"), ("made.png", "PNG")])
def test_a_result_is_written_as_it_is_named_and_over_its_like_only(folder: Path, name: str, kind: str) -> None:
    made = folder / name
    command = ("convert", "in/b.png", "-s", "style.webp", "-o", name, "--seed", "3")
    assert restyle(*command, folder=folder).code == 0
    with Image.open(made) as image:
        assert (image.format, image.size) == (kind, (64, 80))
    assert restyle(*command, folder=folder).code == 0  # its own it makes again
    made.write_bytes(pictures.encode(pictures.picture(64, 64), kind))
    before = made.read_bytes()
    ran = restyle(*command, folder=folder)
    assert (ran.code, ran.out) == (2, "")
    assert f"{name} is there and was not made by Restyle; give another --output, or --overwrite" in ran.err
    assert made.read_bytes() == before
    assert restyle(*command, "--overwrite", folder=folder).code == 0
    assert made.read_bytes() != before
    assert not list(folder.glob(".*part"))


def test_a_good_result_survives_a_disk_that_is_full(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = ("convert", "in/b.png", "-s", "style.webp", "-o", "made.png")
    restyle(*command, "--seed", "3", folder=folder)
    before = (folder / "made.png").read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
        ran = restyle(*command, "--seed", "4", folder=folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert ran.code == 5
    assert "made.png cannot be written" in ran.err
    assert (folder / "made.png").read_bytes() == before
    assert not list(folder.glob(".*part"))


def test_names_that_are_no_text_and_terminals_that_print_little(folder: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    (folder / "in" / name).write_bytes((folder / "in" / "b.png").read_bytes())
    ran = restyle("convert", f"in/{name}", "-s", "style.webp", folder=folder)
    assert (ran.code, ran.err) == (0, "")
    assert "caf\\udce9.restyled.png  64x80" in ran.out
    assert (folder / "in" / os.fsdecode(b"caf\xe9.restyled.png")).exists()


def test_a_photograph_over_the_largest_size_is_told(folder: Path) -> None:
    (folder / "wide.png").write_bytes(pictures.encode(pictures.picture(70, 2600), "PNG"))
    ran = restyle("convert", "wide.png", "-s", "style.webp", "--strength", "0", folder=folder)
    assert ran.code == 0
    said = "the raw image has 2600 x 70 pixels and the result 2560 x 69: no side may be over 2560"
    assert ran.err == f"restyle: wide.png: {said}\n"
    told = restyle("convert", "wide.png", "-s", "style.webp", "--json", folder=folder).json()
    assert told[0]["Notices"] == [said]


def test_every_photograph_meets_every_style() -> None:
    raws = [Photograph(Path("x/a.jpg")), Photograph(Path("b.png"))]
    works = plan(raws, [Path("oil.jpg"), Path("ink.jpg")], None, 1)
    assert [str(work.results[0]) for work in works] == [
        "x/a.oil.restyled.png",
        "x/a.ink.restyled.png",
        "b.oil.restyled.png",
        "b.ink.restyled.png",
    ]


def test_names_are_told_apart_wherever_the_pictures_lie() -> None:
    """Also of styles, and where only capitals differ, as some file systems do not tell them apart."""
    raws = [Photograph(Path(name)) for name in ("x/a.jpg", "y/a.jpg", "y/A.png", "b.png")]
    styles = [Path("new/oil.jpg"), Path("old/oil.jpg")]
    results = [work.results[0].name for work in plan(raws, styles, "out/", 1)]
    assert len({name.casefold() for name in results}) == 8
    assert results[0] == "x.a.jpg.new.oil.jpg.restyled.png"
    assert results[7] == "b.old.oil.jpg.restyled.png"


def test_what_is_given_twice_is_drawn_once(folder: Path) -> None:
    ran = restyle("convert", "in", "in/../in/a.jpg", "-s", "style.webp", "-s", "./style.webp", folder=folder)
    assert ran.code == 0
    assert len(ran.out.splitlines()) == 2
    assert "left out: in/../in/a.jpg: given before" in ran.err


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--model", "none"), 4, "restyle models list"),
        (("--strength", "2"), 2, "--strength not available"),
        (("-s", "in/notes.txt"), 3, "in/notes.txt is not a readable picture"),
    ],
)
def test_what_is_wrong_with_all_is_said_once(folder: Path, arguments: tuple[str, ...], code: int, says: str) -> None:
    style = () if "-s" in arguments else ("-s", "style.webp")
    ran = restyle("convert", "in/a.jpg", "in/b.png", *style, *arguments, folder=folder)
    assert (ran.code, ran.out) == (code, "")
    first, second = ran.err.splitlines()
    assert says in first
    assert second == "restyle: 1 more not tried, since the same would be wrong with it"


def test_a_picture_that_is_too_small_or_that_an_engine_fails_at_stops_no_other(folder: Path) -> None:
    (folder / "in" / "a.jpg").write_bytes(pictures.encode(pictures.picture(20, 90), "JPEG"))
    ran = restyle("convert", "in/a.jpg", "in/b.png", "-s", "style.webp", folder=folder)
    assert ran.code == 1
    assert ran.err.startswith("restyle: in/a.jpg: --height not available: following the raw image of 90 x 20")
    assert "in/b.restyled.png" in ran.out
    for order, says in (("raise", "drawing failed: RuntimeError: the engine's own secret"), ("memory", "memory")):
        options = ("--model", "Obedient", "--prompt", order, "--width", "64", "--height", "64")
        ran = restyle("convert", "in/a.jpg", "in/b.png", "-s", "style.webp", *options, folder=folder)
        assert (ran.code, ran.out, len(ran.err.splitlines())) == (6, "", 2)
        assert says in ran.err


def test_notices_and_words_are_the_commands(folder: Path) -> None:
    options = ("--prompt", "a cat", "--steps", "9", "--sub-model", "ink", "--model", "Toy")
    ran = restyle("convert", "in/b.png", "-s", "style.webp", *options, folder=folder)
    for word in ("InferenceParams", "SubModelList", "sub_models", "ListModels", "positive_prompts"):
        assert word not in ran.err
    assert in_options("SubModelList[0].InferenceParams.Steps is not used: x") == "--sub-model is not used: x"
    assert in_options("MainModel.InferenceParams.CFGScale is not used by M") == "--cfg-scale is not used by M"
    assert in_options("negative_prompts have no part at cfg_scale 1") == "--negative have no part at --cfg-scale 1"
    assert in_options("strength 0 returns the raw image") == "--strength 0 returns the raw image"
    assert in_options('the file "Seed" in /x/Width/y') == 'the file "Seed" in /x/Width/y'


def test_sheet(folder: Path) -> None:
    command = ("sheet", "in/a.jpg", "style.webp", "in/b.png", "-o", "new/s.jpg", "--height", "64")
    made = restyle(*command, "--json", folder=folder).json()
    with Image.open(folder / "new" / "s.jpg") as image:
        assert image.size == (made["Width"], made["Height"])
    assert restyle(*command, folder=folder).code == 0  # its own it makes again
    wrong = restyle("sheet", "in/a.jpg", "style.webp", folder=folder)
    assert (wrong.code, "2 pictures are no rows of 3 (before, style, after)" in wrong.err) == (2, True)


def test_a_sheet_of_any_columns_and_labels_spares_what_it_did_not_make(folder: Path) -> None:
    bare = restyle("sheet", "in/a.jpg", "in/b.png", "--columns", "2", "--height", "64", "--json", folder=folder)
    labels = ("--label", "photograph", "--label", "drawn")
    said = restyle("sheet", "in/a.jpg", "in/b.png", *labels, "--height", "64", "--json", folder=folder)
    assert bare.json()["Width"] == said.json()["Width"]
    assert bare.json()["Height"] < said.json()["Height"]
    wrong = restyle("sheet", "in/a.jpg", "in/b.png", *labels, "--columns", "1", folder=folder)
    assert (wrong.code, "2 labels are none for 1 columns" in wrong.err) == (2, True)
    ran = restyle("sheet", "in/a.jpg", "--columns", "1", "-o", "in/b.png", folder=folder)
    assert (ran.code, "in/b.png is there and was not made by Restyle" in ran.err) == (2, True)
    assert restyle("sheet", "in/a.jpg", "--columns", "1", "-o", "in/b.png", "--overwrite", folder=folder).code == 0
    many = ("in/a.jpg",) * 26
    ran = restyle("sheet", *many, "--columns", "26", "-o", "wide.webp", "--height", "512", folder=folder)
    assert (ran.code, "a WEBP cannot hold" in ran.err) == (2, True)


def test_a_folder_is_searched_by_every_name_of_a_format(tmp_path: Path) -> None:
    names = ["a.jfif", "b.jpe", "c.HEIC", "d.heif", "e.TIF", "f.avif"]
    for name in (*names, "g.dng", "h.txt"):
        (tmp_path / name).write_bytes(b"")
    assert [found.path.name for found in find([tmp_path]).photographs] == names


def test_a_folder_without_pictures_says_what_it_holds(folder: Path) -> None:
    (folder / "in" / "a.jpg").unlink()
    (folder / "in" / "b.png").unlink()
    ran = restyle("convert", "in", "-s", "style.webp", folder=folder)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(LEFT_OUT)
    assert "the folder in holds no pictures" in ran.err.splitlines()[1]


def test_a_folder_is_drawn_by_one_engine_in_one_process(folder: Path) -> None:
    before = engines.loaded["Obedient"]
    command = ("convert", "in", "-s", "style.webp", "--model", "Obedient", "-o", "out/")
    ran = restyle(
        *command, folder=folder, RESTYLE_DATA_DIR=str(folder / "data")
    )  # settings of its own, so a new engine
    assert ran.code == 0
    assert len(ran.out.splitlines()) == 2
    assert engines.loaded["Obedient"] == before + 1
