"""Styles in a data folder, and a style as one file."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from restyle.conversion.style import StyleSettings
from restyle.images.limits import Limits
from restyle.settings import Settings
from restyle.styles.bundle import from_bundle, to_bundle
from restyle.styles.folder import StyleFolder
from restyle.styles.official import PICTURES, official
from restyle.styles.style import KeptStyle
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError
from tests.support.pictures import encode, picture

LIMITS = Limits.of(Settings())
FILE = encode(picture(20, 30), "PNG")
SETTINGS = StyleSettings.read(
    {"strength": 0.7, "model": {"code": "Restyle Painter", "parameters": {"steps": 9}}, "positive_prompts": ["a"]}
)


@pytest.fixture
def folder(tmp_path: Path) -> StyleFolder:
    return StyleFolder(tmp_path / "data", LIMITS)


def test_a_folder_keeps_finds_replaces_and_forgets(folder: StyleFolder, tmp_path: Path) -> None:
    assert [style.code for style in folder.all()] == list(PICTURES)
    kept = KeptStyle("House / no", FILE, SETTINGS)
    with pytest.raises(RestyleError, match="has no slash"):
        folder.add(kept)
    kept = KeptStyle("水彩", FILE, SETTINGS)
    folder.add(kept)
    assert folder.find("水彩") == kept
    assert folder.all()[0] == kept
    assert oct((tmp_path / "data" / "styles").stat().st_mode)[-3:] == "700"
    with pytest.raises(RestyleError, match="kept already") as refused:
        folder.add(KeptStyle("水彩", FILE))
    assert refused.value.field == "name"
    folder.add(KeptStyle("水彩", FILE), overwrite=True)
    assert folder.find("水彩").settings == StyleSettings()
    folder.remove("水彩")
    with pytest.raises(RestyleError, match="oil, woodcut") as unknown:
        folder.find("水彩")
    assert (unknown.value.code, unknown.value.field) == (Code.STYLE_NOT_FOUND, "style")
    assert list((tmp_path / "data" / "styles").iterdir()) == []


def test_what_is_official_or_no_picture_is_not_kept(folder: StyleFolder) -> None:
    for code in ("woodcut", "Woodcut"):
        with pytest.raises(RestyleError, match="official"):
            folder.add(KeptStyle(code, FILE))
    with pytest.raises(RestyleError, match="official"):
        folder.remove("woodcut")
    with pytest.raises(RestyleError) as refused:
        folder.add(KeptStyle("x", FILE[:100]))
    assert (refused.value.code, refused.value.field) == (Code.IMAGE_UNREADABLE, "picture")


def test_official_styles_have_pictures_that_ship() -> None:
    styles = official()
    assert len(styles) == len({style.picture for style in styles}) == 8
    for style in styles:
        with Image.open(io.BytesIO(style.picture)) as image:
            assert min(image.size) >= 500
    assert sum(len(style.picture) for style in styles) < 1.7e6  # of every installation


def test_a_file_of_a_style_comes_back_as_it_was() -> None:
    style = KeptStyle("House watercolour", FILE, SETTINGS)
    assert from_bundle(to_bundle(style), LIMITS, field="x.zip") == style
    assert to_bundle(style) == to_bundle(style)


def zipped(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in members.items():
            made.writestr({"style": "style.json"}.get(name, name), data)
    return file.getvalue()


def said(**changes: Any) -> bytes:
    return json.dumps({"version": 1, "code": "x", "settings": {}} | changes).encode()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"no zip", "is no style that was exported"),
        (zipped(picture=FILE), "is no style that was exported"),
        (zipped(style=said()), "is no style that was exported"),
        (zipped(style=b"[]", picture=FILE), "says no version"),
        (zipped(style=said(version=2), picture=FILE), "is of version 2, and this release reads 1"),
        (zipped(style=said(settings=[]), picture=FILE), "no object"),
        (zipped(style=said(settings={"strength": 2}), picture=FILE), "strength"),
        (zipped(style=said(settings={"seed": 2}), picture=FILE), "seed not available: it is no field"),
        (zipped(style=said(code="../x"), picture=FILE), "like an option or a file"),
        (zipped(style=b" " * (9 << 20), picture=FILE), "more than 8,388,608 bytes"),
        (to_bundle(KeptStyle("x", FILE))[:-30], "is no style that was exported"),
    ],
)
def test_files_that_are_no_styles_are_refused_with_the_reason(data: bytes, why: str) -> None:
    with pytest.raises(RestyleError, match=why) as refused:
        from_bundle(data, LIMITS, field="x.zip")
    assert refused.value.code == Code.PARAMETER_NOT_AVAILABLE
