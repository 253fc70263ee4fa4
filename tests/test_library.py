"""Conversion in the caller's own process, with the obedient engine; pictures of real engines are tested with them."""

import inspect
import pydoc
import re
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest
from PIL import Image

import restyle
from restyle.client.request import chosen
from restyle.conversion.options import Sampler
from restyle.conversion.style import StyleSettings
from restyle.engines.families import FAMILIES
from restyle.images.encode import encode_png
from restyle.images.limits import Limits
from restyle.settings import Settings
from restyle.styles.folder import StyleFolder
from restyle.styles.style import KeptStyle
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError
from restyle.wire.ranges import RESIZE_MODES
from tests.support.engines import OBEDIENT, REGISTRY
from tests.support.pictures import picture

PLAIN = pydoc.TextDoc()
RAW, STYLE = picture(70, 90), picture(64, 64, seed=5)


@pytest.fixture(autouse=True)
def _obedient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTYLE_REGISTRY", REGISTRY)


def test_a_batch_counts_its_seeds_up_and_around() -> None:
    images = restyle.convert(RAW, STYLE, seed=2147483647, batch_size=2, strength=1)
    assert [image.info["seed"] for image in images] == [2147483647, 0]
    (alone,) = restyle.convert(RAW, STYLE, seed=0, strength=1)
    assert np.array_equal(np.asarray(images[1]), np.asarray(alone))


def test_a_drawn_seed_is_told() -> None:
    first, second = (restyle.convert(RAW, STYLE)[0].info["seed"] for _ in range(2))
    assert first != second


@pytest.mark.parametrize(
    ("shape", "given", "size"),
    [
        ((70, 90), {}, (90, 70)),
        ((70, 90), {"width": 180}, (180, 140)),
        ((70, 90), {"height": 64}, (82, 64)),
        ((70, 90), {"width": 65, "height": 300}, (65, 300)),
        ((100, 3000), {}, (2560, 85)),
        ((5120, 200), {}, (100, 2560)),
    ],
)
def test_the_size_follows_the_photograph_unless_told(
    shape: tuple[int, int], given: dict[str, int], size: tuple[int, int]
) -> None:
    (image,) = restyle.convert(
        np.zeros((*shape, 3), np.uint8), STYLE, width=given.get("width"), height=given.get("height")
    )
    assert image.size == size


def test_strength_0_is_the_photograph() -> None:
    (image,) = restyle.convert(RAW, STYLE, strength=0)
    assert np.array_equal(np.asarray(image), RAW)


def test_the_photographs_opacity_is_kept_when_that_is_asked() -> None:
    opacity = np.linspace(0, 255, 90).astype(np.uint8)[None].repeat(70, axis=0)
    clear = np.dstack([RAW, opacity])
    (image,) = restyle.convert(clear, STYLE, strength=0, keep_alpha=True)
    assert image.mode == "RGBA"
    assert np.array_equal(np.asarray(image), clear)
    (drawn,) = restyle.convert(Image.fromarray(clear), STYLE, strength=1, keep_alpha=True, width=180, height=64)
    assert drawn.mode == "RGBA"
    assert np.abs(np.asarray(drawn)[32, 1:-1:2, 3].astype(int) - opacity[0, :89]).max() <= 3
    assert restyle.convert(clear, STYLE, strength=0)[0].mode == "RGB"
    assert restyle.convert(RAW, STYLE, strength=0, keep_alpha=True)[0].mode == "RGB"


@pytest.mark.parametrize(
    ("wrong", "code", "field"),
    [
        ({"strength": -0.1}, Code.PARAMETER_NOT_AVAILABLE, "strength"),
        ({"strength": "1"}, Code.PARAMETER_NOT_AVAILABLE, "strength"),
        ({"seed": -2}, Code.PARAMETER_NOT_AVAILABLE, "seed"),
        ({"batch_size": 17}, Code.PARAMETER_NOT_AVAILABLE, "batch_size"),
        ({"width": 2561, "height": 64}, Code.PARAMETER_NOT_AVAILABLE, "width"),
        ({"width": 9000}, Code.PARAMETER_NOT_AVAILABLE, "width"),
        ({"width": 2560}, Code.PARAMETER_NOT_AVAILABLE, "height"),
        ({"resize_mode": "Stretch"}, Code.PARAMETER_NOT_AVAILABLE, "resize_mode"),
        ({"model": "none such"}, Code.MODEL_NOT_FOUND, "model"),
        ({"style": b"text"}, Code.IMAGE_UNREADABLE, "style"),
        ({"raw": 5}, Code.IMAGE_UNREADABLE, "raw"),
        ({"raw": np.zeros((9, 9, 2), np.uint8)}, Code.IMAGE_UNREADABLE, "raw"),
        ({"raw": Image.new("F", (70, 70))}, Code.IMAGE_UNREADABLE, "raw"),
    ],
)
def test_what_is_wrong_is_named(wrong: dict[str, object], code: Code, field: str) -> None:
    raw = np.zeros((200, 190, 3), np.uint8)
    arguments: dict[str, object] = {"raw": raw, "style": STYLE, **wrong}
    with pytest.raises(RestyleError) as caught:
        restyle.convert(**arguments)  # type: ignore[arg-type]
    assert (caught.value.code, caught.value.field) == (code, field)
    assert field.rpartition(".")[2] in caught.value.message


def test_a_progress_that_raises_stops() -> None:
    class Enough(Exception):
        pass

    def stop(fraction: float) -> None:
        raise Enough

    with pytest.raises(Enough):
        restyle.convert(RAW, STYLE, on_progress=stop)


def test_pillow_images_are_taken_as_they_look() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = Image.fromarray(RAW)
    turned.info["exif"] = exif.tobytes()
    (image,) = restyle.convert(turned, STYLE, strength=0)
    assert np.array_equal(np.asarray(image), np.rot90(RAW, -1))
    clear = Image.new("RGBA", (70, 70), (0, 0, 0, 0))
    assert restyle.convert(clear, STYLE, strength=0)[0].getpixel((5, 5)) == (255, 255, 255)


def test_parameters_and_loras_are_arguments() -> None:
    given: dict[str, Any] = {"steps": 9, "sampler": "Euler a", "clip_skip": 3, "cfg_scale": 5.0}
    (image,) = restyle.convert(RAW, STYLE, model="Thorough", lora=[("ink", -0.5)], sub_models=["charm"], **given)
    written = image.info["parameters"]
    assert "Steps: 9, Sampler: Euler a, CFG scale: 5.0, Clip skip: 3" in written
    assert "ink: lora -0.5 of ink, charm: embedding 1 of charm" in written
    assert image.info["seconds"] > 0
    wire = chosen({"model": "Thorough", "lora": [("ink", -0.5)], "sub_models": ["charm"], **given})  # type: ignore[typeddict-item]
    parameters = {"Steps": 9, "Sampler": "Euler a", "ClipSkip": 3, "CFGScale": 5.0}
    assert wire["MainModel"] == {"ModelCode": "Thorough", "InferenceParams": parameters}
    assert wire["SubModelList"] == [
        {"ModelCode": "ink", "InferenceParams": {"LoraWeight": -0.5}},
        {"ModelCode": "charm"},
    ]
    for wrong, field in (({"steps": 5}, "steps"), ({"lora": ["ink"]}, "lora[0]"), ({"lora": [("ink", 9)]}, "lora[0]")):
        with pytest.raises(RestyleError) as caught:
            restyle.convert(RAW, STYLE, model="Thorough", **wrong)
        assert str(caught.value.field).startswith(field)
        assert caught.value.code is Code.PARAMETER_NOT_AVAILABLE


def test_help_shows_what_there_is() -> None:
    told = re.sub(".\x08", "", pydoc.render_doc(restyle, renderer=PLAIN))  # struck twice stands for bold
    assert "convert(" in told
    assert "class Client" in told
    assert "class Options" in told
    for function in (restyle.convert, restyle.Client.convert, restyle.Client.submit, restyle.AsyncClient.convert):
        spelt = inspect.signature(function).parameters
        assert set(restyle.Options.__annotations__) < set(spelt)
        assert (spelt["strength"].default, spelt["steps"].default, spelt["lora"].default) == (0.5, None, ())
    options = pydoc.render_doc(restyle.Options, renderer=PLAIN)
    for name in restyle.Options.__annotations__:
        assert re.search(rf"^ .*\b{name}\b.*: ", options, re.MULTILINE), f"{name} is not explained"
    assert "1..30" in options


def test_names_of_samplers_are_those_of_the_engines() -> None:
    assert list(get_args(Sampler)) == [name for family in FAMILIES for name in family.samplers]
    assert set(get_args(get_type_hints(restyle.Options)["resize_mode"])) == set(RESIZE_MODES)


def test_a_style_is_a_picture_or_the_name_of_a_kept_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTYLE_DATA_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    settings = StyleSettings.read({"strength": 0, "sub_models": [], "positive_prompts": ["draw 0"]})
    StyleFolder(tmp_path, Limits.of(Settings())).add(KeptStyle("Mine", encode_png(STYLE), settings))
    (image,) = restyle.convert(RAW, "Mine", model=OBEDIENT)
    assert np.array_equal(np.asarray(image), RAW)
    (image,) = restyle.convert(RAW, "Mine", model=OBEDIENT, strength=1, positive_prompts=["draw 0.0"])
    assert not np.array_equal(np.asarray(image), RAW)
    assert image.info["parameters"].startswith("draw 0.0\n")
    assert restyle.convert(RAW, "woodcut", model=OBEDIENT)[0].size == (90, 70)

    Path("woodcutt").write_bytes(encode_png(STYLE))
    with pytest.raises(RestyleError, match="with its folder or its suffix, such as") as unknown:
        restyle.convert(RAW, "woodcutt", model=OBEDIENT)
    assert (unknown.value.code, unknown.value.field) == (Code.STYLE_NOT_FOUND, "style")
    for file in ("./woodcutt", Path("woodcutt")):
        assert restyle.convert(RAW, file, model=OBEDIENT)
    with pytest.raises(RestyleError) as unread:
        restyle.convert(RAW, "woodcut.jpg", model=OBEDIENT)
    assert unread.value.code == Code.IMAGE_UNREADABLE
