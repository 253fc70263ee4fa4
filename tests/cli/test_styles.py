"""``restyle styles``, and styles by name in ``restyle convert``."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from restyle.styles.official import PICTURES
from tests.support import pictures
from tests.support.command import Ran, restyle
from tests.support.engines import OBEDIENT
from tests.support.service import RunningService

KEPT = ("--strength", "0", "--model", OBEDIENT, "--prompt", "draw 0", "--preserve-color")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "photo.png").write_bytes(pictures.encode(pictures.picture(64, 80), "PNG"))
    (tmp_path / "ref.jpg").write_bytes(pictures.encode(pictures.picture(64, 64, seed=3), "JPEG"))
    return tmp_path


def test_a_style_is_kept_used_exported_imported_and_removed(folder: Path) -> None:
    def run(*arguments: str) -> Ran:
        return restyle(*arguments, folder=folder)

    added = run("styles", "add", "House watercolour", "ref.jpg", *KEPT)
    assert (added.code, added.err) == (0, "")
    again = run("styles", "add", "House watercolour", "ref.jpg")
    assert again.code == 2
    assert "kept already" in again.err
    shown = run("styles", "show", "House watercolour", "--json").json()
    size = (folder / "ref.jpg").stat().st_size
    assert shown == {
        "StyleCode": "House watercolour",
        "Name": "House watercolour",
        "IsOfficial": False,
        "PictureBytes": size,
        "MainModel": {"ModelCode": OBEDIENT},
        "StyleReferStrength": 0,
        "PreserveColor": True,
        "PositivePrompts": ["draw 0"],
    }
    listed = [style["StyleCode"] for style in run("styles", "list", "--json").json()]
    assert listed == ["House watercolour", *PICTURES]
    assert "House watercolour  -         0.0       Obedient  PreserveColor" in run("styles", "list").out.replace(
        "PositivePrompts, ", ""
    )

    ran = run("convert", "photo.png", "-s", "House watercolour", "--json")
    assert ran.json()[0]["Style"] == "House watercolour"
    with Image.open(folder / "photo.restyled.png") as image:
        assert np.array_equal(np.asarray(image), pictures.picture(64, 80))  # the style's strength, 0
        assert "draw 0" in image.info["parameters"]
    both = run(
        "convert", "photo.png", "-s", "House watercolour", "-s", "woodcut", "--model", OBEDIENT, "--strength", "1"
    )
    assert both.code == 0
    for name in ("House watercolour", "woodcut"):
        with Image.open(folder / f"photo.{name}.restyled.png") as image:
            assert len(np.unique(np.asarray(image).reshape(-1, 3), axis=0)) == 1  # what is given goes over it

    assert run("styles", "export", "House watercolour").out == "House watercolour.style.zip\n"
    assert run("styles", "export", "House watercolour").code == 2  # is there
    assert run("styles", "remove", "House watercolour").code == 0
    assert run("styles", "import", "House watercolour.style.zip").code == 0
    assert run("styles", "show", "House watercolour", "--json").json() == shown
    assert run("styles", "import", "House watercolour.style.zip", "--name", "Other").code == 0
    assert run("styles", "remove", "woodcut").code == 2


def test_a_name_that_is_not_there_is_said_once_with_those_there_are(folder: Path) -> None:
    (folder / "woodcutt").write_bytes((folder / "ref.jpg").read_bytes())
    ran = restyle("convert", "photo.png", "ref.jpg", "-s", "woodcutt", "--model", OBEDIENT, folder=folder)
    assert ran.code == 2
    first, rest = ran.err.splitlines()
    assert 'there is no style "woodcutt"; there are oil, woodcut' in first
    assert "./woodcutt" in first
    assert "1 more not tried" in rest
    assert restyle("convert", "photo.png", "-s", "./woodcutt", "--model", OBEDIENT, folder=folder).code == 0


def test_styles_of_an_account_at_a_service(folder: Path, service: RunningService) -> None:
    key = service.keys.create(credits=0, unlimited=True)
    variables = {
        "RESTYLE_URL": service.url,
        "RESTYLE_PUBLIC_KEY": key.public_key,
        "RESTYLE_PRIVATE_KEY": key.private_key,
    }

    def run(*arguments: str) -> Ran:
        return restyle(*arguments, folder=folder, **variables)

    assert run("styles", "add", "Mine", "ref.jpg", *KEPT).code == 0
    assert run("styles", "add", "Mine", "ref.jpg").code == 2
    assert run("styles", "show", "Mine", "--json").json()["StyleReferStrength"] == 0
    assert run("convert", "photo.png", "-s", "Mine").code == 0
    with Image.open(folder / "photo.restyled.png") as image:
        assert np.array_equal(np.asarray(image), pictures.picture(64, 80))
    unknown = run("convert", "photo.png", "ref.jpg", "-s", "Yours")
    assert unknown.code == 2
    assert 'no style "Yours"; `restyle styles list` names those there are' in unknown.err
    assert restyle("styles", "add", "Local", "ref.jpg", folder=folder).code == 0
    assert restyle("styles", "export", "Local", folder=folder).code == 0
    assert run("styles", "import", "Local.style.zip").code == 0
    assert run("styles", "remove", "Mine").code == 0
    assert [style["StyleCode"] for style in run("styles", "list", "--json").json()] == ["Local", *PICTURES]
