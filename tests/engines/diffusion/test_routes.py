"""The two ways of the style, the ControlNet and the VAE: chosen by what is registered, named, and with effect."""

from dataclasses import replace

import numpy as np
import pytest

from restyle.engines.diffusion import ipadapter
from restyle.models.kinds import Architecture
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError
from tests.support.studio import RAW, STYLE, Studio, Sub


@pytest.mark.parametrize(("base", "form"), [("sd15", "ip"), ("sd15", "ip-plus"), ("sdxl", "ip")])
def test_a_registered_ip_adapter_is_the_style_route(studio: Studio, base: str, form: str) -> None:
    model = f"{base} folder"
    before = studio.plain(model)
    with studio.registered("encoder"), studio.registered(f"{base}-{form}.safetensors", architecture=Architecture(base)):
        description = studio.describe(model)
        assert description.parameters["Style route"] == f"IP-Adapter {base}-{form}.safetensors"
        drawn = studio.draw(model)
        assert np.array_equal(drawn, studio.draw(model))
        assert not np.array_equal(drawn, studio.draw(model, style=STYLE[::-1].copy()))
        assert not np.array_equal(drawn, studio.draw(model, subs=(Sub(f"{base} lora"),)))
    assert not np.array_equal(drawn, before)
    assert studio.describe(model).parameters["Style route"] == "style injection"
    assert np.array_equal(studio.draw(model), before)


def test_an_ip_adapter_without_its_encoder_is_refused(studio: Studio) -> None:
    job = studio.job("sd15 folder")
    with studio.registered("sd15-ip.safetensors", architecture=Architecture.SD15) as file:
        halved = replace(job, files=(*job.files, file))
        with pytest.raises(RestyleError, match="image encoder"):
            studio.engine.describe(halved)


@pytest.mark.parametrize(
    ("width", "height", "most"),
    [(100, 100, 1), (250, 100, 1), (100, 180, 1), (800, 100, 1), (5000, 40, 16), (64, 2560, 5)],
)
def test_the_whole_reference_is_seen_in_squares(width: int, height: int, most: float) -> None:
    """Of one longer than eight squares in eight parts, so many times as long as they are wide."""
    places = np.arange(height * width * 3, dtype=np.uint32).reshape(height, width, 3)
    views = ipadapter.views(places)  # type: ignore[arg-type]
    for view in views:
        assert max(view.shape[:2]) <= max(ipadapter.SQUARE, most) * min(view.shape[:2])
    assert np.array_equal(np.unique(np.concatenate([view.ravel() for view in views])), places.ravel())


def test_the_ends_of_a_long_reference_count(studio: Studio) -> None:
    long = np.full((32, 160, 3), 128, np.uint8)
    red = long.copy()
    red[:, :24] = (220, 20, 20)
    with studio.registered("encoder"), studio.registered("sd15-ip.safetensors", architecture=Architecture.SD15):
        assert not np.array_equal(studio.draw("sd15 folder", style=long), studio.draw("sd15 folder", style=red))
    assert not np.array_equal(studio.draw("sd15 folder", style=long), studio.draw("sd15 folder", style=red))


def test_registered_controlnets_show_the_raw_image_each_in_its_way(studio: Studio, base: str) -> None:
    model, name = f"{base} folder", f"{base}-control"
    raw = RAW.copy()
    raw[20:40, 20:40] = (250, 10, 10)
    drawn = [studio.draw(model, raw=raw)]
    for control in ("tile", "canny"):
        with studio.registered(name, control=control, architecture=Architecture(base)):
            assert studio.describe(model).parameters["ControlNet"] == name
            drawn.append(studio.draw(model, raw=raw))
            if control == "tile":
                assert np.array_equal(drawn[-1], studio.draw(model, raw=raw))
    assert len({picture.tobytes() for picture in drawn}) == 3


def test_another_vae_acts_and_the_models_own_does_not(studio: Studio, base: str) -> None:
    model, name = f"{base} folder", f"{base}-vae.safetensors"
    assert studio.describe(model).parameters["VAE"] == "main model"
    before = studio.plain(model)
    with studio.registered(name, architecture=Architecture(base)):
        assert studio.describe(model).parameters["VAE"] == name
        assert not np.array_equal(studio.draw(model), before)
        assert np.array_equal(studio.draw(model, own_vae=True), before)
        assert studio.describe(model, own_vae=True).parameters["VAE"] == "main model"


def test_a_checkpoint_without_vae_takes_the_one_it_is_given(studio: Studio) -> None:
    name = "sd15-bare.safetensors"
    with studio.registered(name):
        with pytest.raises(RestyleError, match=f"{name}.*brings no VAE") as caught:
            studio.draw(name)
        assert caught.value.code == Code.ENGINE_FAILED
        with studio.registered("sd15-vae.safetensors", architecture=Architecture.SD15):
            assert np.array_equal(studio.draw(name), studio.draw(name))


def test_the_description_names_what_has_a_part(studio: Studio) -> None:
    found = studio.describe(
        "sd15 folder",
        subs=(Sub("sd15 lora", 0.5), Sub("sd15 peft lora", -0.25)),
        steps=12,
        sampler="DPM++ 2M Karras",
        clip_skip=2,
        cfg_scale=1.5,
        negative_prompts=("blurry", "low"),
    )
    assert found.positive == "a red fox, watercolour, glimmer"
    assert found.negative == "blurry, low"
    assert found.parameters["Lora weights"] == "sd15 lora: 0.5, sd15 peft lora: -0.25"
    for name, value in {"Steps": 12, "Sampler": "DPM++ 2M Karras", "Clip skip": 2, "CFG scale": "1.5"}.items():
        assert found.parameters[name] == value
