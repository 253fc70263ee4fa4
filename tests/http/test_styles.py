"""Kept styles over the wire: saved, listed, drawn with, and nobody else's."""

import base64
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from restyle.accounts.keys import KeyPair
from restyle.styles.official import PICTURES
from tests.support.engines import OBEDIENT, THOROUGH
from tests.support.folders import files
from tests.support.pictures import picture
from tests.support.service import PICTURE, RunningService, submission

KEPT: dict[str, Any] = {
    "MainModel": {"ModelCode": THOROUGH, "InferenceParams": {"Steps": 20}},
    "SubModelList": [{"ModelCode": "ink", "InferenceParams": {"LoraWeight": 0.5}}],
    "StyleReferStrength": 0.25,
    "PositivePrompts": ["wet paper"],
}


def save(service: RunningService, key: KeyPair, code: str = "House watercolour", **fields: Any) -> dict[str, Any]:
    return service.call("SaveStyle", key, StyleCode=code, **{"StyleImage": PICTURE, **KEPT, **fields})


def listed(service: RunningService, key: KeyPair, **fields: Any) -> list[dict[str, Any]]:
    answer = service.call("ListStyles", key, **fields)
    assert answer["RetCode"] == 0, answer
    found: list[dict[str, Any]] = answer["StyleList"]
    return found


def stored(service: RunningService) -> set[Path]:
    return {path for path in files(service.settings.data_dir / "objects" / "styles") if path.name == "picture"}


def asked(code: str, **fields: Any) -> dict[str, Any]:
    """A submission in a kept style, which says nothing that the style may say."""
    least = {"RawImageIndex": 0, "Width": 64, "Height": 64, "Seed": 7, "ImageList": [PICTURE], "StyleCode": code}
    return {**least, **fields}


def drawn(service: RunningService, key: KeyPair, **fields: Any) -> Image.Image:
    answer = service.call("ApplyReferenceStyle", key, **fields)
    assert answer["RetCode"] == 0, answer
    return finished(service, key, answer["TaskUID"])


def finished(service: RunningService, key: KeyPair, uid: str) -> Image.Image:
    detail: dict[str, Any] = {}
    while detail.get("Status") not in ("Finished", "Error"):
        detail = service.task(uid, key)
    assert detail["Status"] == "Finished", detail
    image = Image.open(BytesIO(service.http.get(detail["ImgList"][0]).content))
    image.load()
    return image


def test_a_style_is_kept_drawn_with_replaced_and_forgotten(service: RunningService) -> None:
    before = stored(service)  # other tests of this service keep styles too
    key, other = (service.keys.create(credits=0, unlimited=True) for _ in range(2))
    assert save(service, key)["RetCode"] == 0
    own, *official = listed(service, key)
    assert (own["StyleCode"], own["Name"], own["IsOfficial"]) == ("House watercolour", "House watercolour", False)
    assert {field: own[field] for field in KEPT} == KEPT
    assert not {"Thumbnail", "PreserveColor", "NegativePrompts"} & own.keys()
    assert [style["StyleCode"] for style in official] == list(PICTURES)

    image = drawn(service, key, **asked("House watercolour"))
    parameters = image.info["parameters"]
    assert all(text in parameters for text in ("wet paper", "Steps: 20", "ink: lora 0.5", "Model: Thorough"))
    same = drawn(service, key, **submission(Seed=7, StyleReferStrength=0.25))
    assert np.array_equal(np.asarray(image), np.asarray(same))

    # what is given goes over it; with a model of its own neither sub-models nor parameters of the style's
    image = drawn(
        service, key, **asked("House watercolour", MainModel={"ModelCode": OBEDIENT}, PositivePrompts=["draw 0"])
    )
    assert "ink" not in image.info["parameters"]
    assert "draw 0" in image.info["parameters"]
    assert np.array_equal(np.asarray(image), np.asarray(same))
    full = drawn(service, key, **asked("House watercolour", StyleReferStrength=1))
    assert len(np.unique(np.asarray(full).reshape(-1, 3), axis=0)) == 1

    # nobody else's
    assert [style["StyleCode"] for style in listed(service, other)] == list(PICTURES)
    for answer in (
        service.call("ApplyReferenceStyle", other, **asked("House watercolour")),
        service.call("DeleteStyle", other, StyleCode="House watercolour"),
    ):
        assert (answer["RetCode"], answer["Field"]) == (4012, "StyleCode")
    assert save(service, other, StyleReferStrength=1)["RetCode"] == 0

    assert service.call("SaveStyle", key, StyleCode="House watercolour", StyleImage=PICTURE)["RetCode"] == 0
    assert not KEPT.keys() & listed(service, key)[0].keys()
    assert service.call("DeleteStyle", key, StyleCode="House watercolour")["RetCode"] == 0
    assert [style["StyleCode"] for style in listed(service, key)] == list(PICTURES)
    assert service.call("DeleteStyle", key, StyleCode="House watercolour")["RetCode"] == 4012
    assert [path.read_bytes() for path in stored(service) - before] == [base64.b64decode(PICTURE)]  # the other's


def test_a_task_goes_on_whatever_becomes_of_its_style(service: RunningService, tmp_path: Path) -> None:
    key = service.keys.create(credits=0, unlimited=True)
    assert save(service, key, MainModel={"ModelCode": OBEDIENT}, SubModelList=[])["RetCode"] == 0
    go = tmp_path / "go"
    uid = service.call("ApplyReferenceStyle", key, **asked("House watercolour", PositivePrompts=[f"until {go}"]))
    assert service.call("DeleteStyle", key, StyleCode="House watercolour")["RetCode"] == 0
    go.touch()
    finished(service, key, uid["TaskUID"])


def test_official_styles_are_everybodys_and_stay(service: RunningService) -> None:
    key = service.keys.create(credits=0, unlimited=True)
    image = drawn(service, key, **asked("woodcut", MainModel={"ModelCode": OBEDIENT}))
    assert image.size == (64, 64)
    for style in listed(service, key, Thumbnails=True):
        with Image.open(BytesIO(base64.b64decode(style["Thumbnail"]))) as small:
            assert (small.format, max(small.size)) == ("JPEG", 256)
    for answer in (save(service, key, "Woodcut"), service.call("DeleteStyle", key, StyleCode="woodcut")):
        assert (answer["RetCode"], answer["Field"]) == (230, "StyleCode")
        assert "official" in answer["Message"]


def test_a_thumbnail_is_upright_and_in_its_colours(service: RunningService) -> None:
    key = service.keys.create(credits=0, unlimited=True)
    wide = Image.fromarray(np.kron(picture(40, 80), np.ones((10, 10, 1), np.uint8)))
    exif = Image.Exif()
    exif[0x0112] = 6  # turned a quarter
    file = BytesIO()
    wide.quantize(64).save(file, "PNG", exif=exif)
    assert save(service, key, StyleImage=base64.b64encode(file.getvalue()).decode())["RetCode"] == 0
    with Image.open(BytesIO(base64.b64decode(listed(service, key, Thumbnails=True)[0]["Thumbnail"]))) as small:
        assert small.size == (128, 256)
        upright = wide.transpose(Image.Transpose.ROTATE_270).resize(small.size, Image.Resampling.LANCZOS)
        assert np.abs(np.asarray(small, np.int16) - np.asarray(upright, np.int16)).mean() < 12


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"StyleCode": "a/b"}, 230, "StyleCode"),
        ({"StyleCode": "ref.jpg"}, 230, "StyleCode"),
        ({"StyleCode": " a"}, 230, "StyleCode"),
        ({"StyleCode": "x" * 65}, 230, "StyleCode"),
        ({"StyleImage": "AAAA"}, 4003, "StyleImage"),
        ({"StyleImage": ""}, 220, "StyleImage"),
        ({"StyleReferStrength": 2}, 230, "StyleReferStrength"),
        ({"MainModel": {"ModelCode": "none"}}, 4004, "MainModel.ModelCode"),
        ({"MainModel": {"ModelCode": OBEDIENT}}, 4005, "SubModelList[0].ModelCode"),
    ],
)
def test_what_cannot_be_drawn_with_is_not_kept(
    service: RunningService, fields: dict[str, Any], code: int, field: str
) -> None:
    key = service.key
    before = stored(service)
    answer = save(
        service, key, fields.get("StyleCode", "Not kept"), **{k: v for k, v in fields.items() if k != "StyleCode"}
    )
    assert (answer["RetCode"], answer["Field"]) == (code, field), answer
    assert all(style["IsOfficial"] for style in listed(service, key))
    assert stored(service) == before


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"StyleCode": "woodcut"}, 230, "StyleImageIndex"),
        ({"StyleImageIndex": None}, 220, "StyleImageIndex"),
        ({"StyleImageIndex": None, "MainModel": None}, 220, "MainModel"),
        ({"MainModel": None, "Seed": "x"}, 220, "MainModel"),
        ({"StyleCode": 5}, 230, "StyleCode"),
        ({"StyleCode": "nobody's", "StyleImageIndex": None}, 4012, "StyleCode"),
    ],
)
def test_a_submission_has_one_style(service: RunningService, fields: dict[str, Any], code: int, field: str) -> None:
    answer = service.call("ApplyReferenceStyle", **submission(**fields))
    assert (answer["RetCode"], answer["Field"]) == (code, field), answer
