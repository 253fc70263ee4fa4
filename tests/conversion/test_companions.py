"""What a checkpoint draws with that no request names: chosen once, by the plan, and said."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from restyle.conversion.plan import Pictures, Plan, plan
from restyle.conversion.registry import Registry
from restyle.conversion.request import Conversion
from restyle.engines.base import Family, Feature, Role
from restyle.http.conversion import wire_name
from restyle.models.catalogue import Catalogue, Entry
from restyle.models.kinds import Architecture, Kind
from restyle.settings import Settings
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

SD15, SDXL = Architecture.SD15, Architecture.SDXL
DRAWS = Family(
    "draws",
    "somewhere:load",
    1,
    frozenset(Feature),
    {"Euler": "", "Heun": "twice"},
    architectures=frozenset(Architecture),
    controls=frozenset({"canny", "tile"}),
)
INJECTION = "Style route: style injection, from the model alone"


class Shop:
    """Entries to register, and the plans that follow."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.catalogue = Catalogue.read(folder)
        self.registry = Registry(Settings(data_dir=folder), families=[DRAWS])
        self.add("real", Kind.MAIN, facts={"has_vae": True})

    def add(self, code: str, kind: Kind, architecture: Architecture | None = SD15, **more: Any) -> None:
        path = self._folder / f"{code}.safetensors"
        path.touch()
        entry = Entry(code, code.title(), kind, architecture, path, "safetensors", f"hash of {code}", 0)
        self.catalogue.add(replace(entry, **more))

    def plan(self, model: str = "real", **changes: Any) -> Plan:
        parameters, control = changes.pop("parameters", {}), changes.pop("control_image", None)
        asked = {"model": {"code": model, "parameters": parameters}, "width": 64, "height": 64, **changes}
        pictures = Pictures("raw", "style", control=control)
        return plan(Conversion.read(asked), self.registry, pictures, named=wire_name)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def roles(planned: Plan) -> dict[Role, str]:
    return {file.role: file.sha256.removeprefix("hash of ") for file in planned.files}


def test_a_checkpoint_alone_injects_the_style_and_uses_its_own_vae(shop: Shop) -> None:
    planned = shop.plan()
    assert roles(planned) == {Role.MAIN: "real"}
    assert planned.notices == (INJECTION, "No VAE is registered for SD 1.5; the one of Real is used")


def test_an_ip_adapter_comes_with_the_encoder_it_reads(shop: Shop) -> None:
    shop.add("ip", Kind.IP_ADAPTER, facts={"clip_dim": 1024})
    assert Role.IP_ADAPTER not in roles(shop.plan())
    assert shop.plan().notices[:2] == ("Ip is not used: no image encoder that it reads is registered", INJECTION)
    shop.add("small", Kind.IMAGE_ENCODER, None, facts={"projection": 768})
    assert Role.IP_ADAPTER not in roles(shop.plan())
    shop.add("eye", Kind.IMAGE_ENCODER, None, facts={"projection": 1024})
    planned = shop.plan()
    assert (roles(planned)[Role.IP_ADAPTER], roles(planned)[Role.IMAGE_ENCODER]) == ("ip", "eye")
    assert planned.notices[0] == "Style route: IP-Adapter Ip"


def test_what_is_made_for_another_base_stays_out(shop: Shop) -> None:
    for code, kind in (("ip", Kind.IP_ADAPTER), ("vae", Kind.VAE), ("edges", Kind.CONTROLNET)):
        shop.add(code, kind, SDXL, facts={"clip_dim": 1024})
    assert roles(shop.plan()) == {Role.MAIN: "real"}


def test_the_one_marked_as_default_is_chosen_of_several(shop: Shop) -> None:
    shop.add("edges", Kind.CONTROLNET)
    assert roles(shop.plan())[Role.CONTROLNET] == "edges"
    shop.add("tiles", Kind.CONTROLNET, is_default=True)
    assert roles(shop.plan())[Role.CONTROLNET] == "tiles"


def test_a_controlnet_whose_map_is_not_found_here_waits_for_one(shop: Shop) -> None:
    shop.add("deep", Kind.CONTROLNET, facts={"control": "depth"}, is_default=True)
    planned = shop.plan()
    assert Role.CONTROLNET not in roles(planned)
    assert "Deep is not used: it is shown depth, which ControlType and ControlImageIndex would give" in planned.notices
    shop.add("edges", Kind.CONTROLNET, facts={"control": "canny"})
    assert roles(shop.plan())[Role.CONTROLNET] == "edges"
    planned = shop.plan(control_type="depth", control_image="map")
    assert (roles(planned)[Role.CONTROLNET], planned.control) == ("deep", "map")
    assert roles(shop.plan(control_type="canny"))[Role.CONTROLNET] == "edges"
    planned = shop.plan(control_type="canny", control_image="map")
    assert (roles(planned)[Role.CONTROLNET], planned.control) == ("edges", "map")


@pytest.mark.parametrize(
    ("asked", "code", "field", "says"),
    [
        ({"control_type": "depth"}, 220, "ControlImageIndex", "depth is not found in the raw image here; give its map"),
        ({"control_image": "map"}, 220, "ControlType", "say what the map of ControlImageIndex shows"),
        (
            {"control_type": "openpose", "control_image": "map"},
            230,
            "ControlType",
            r"no ControlNet for openpose is registered for SD 1\.5; there are those for depth",
        ),
    ],
)
def test_a_control_that_cannot_be_shown_is_refused(
    shop: Shop, asked: dict[str, Any], code: int, field: str, says: str
) -> None:
    shop.add("deep", Kind.CONTROLNET, facts={"control": "depth"})
    with pytest.raises(RestyleError, match=says) as caught:
        shop.plan(**asked)
    assert (caught.value.code, caught.value.field) == (code, field)


def test_a_union_is_shown_what_is_asked(shop: Shop) -> None:
    serves = {"control": "canny", "controls": ["canny", "lineart", "depth"]}
    shop.add("union", Kind.CONTROLNET, facts=serves)

    def shown(**asked: Any) -> Any:
        (file,) = [file for file in shop.plan(**asked).files if file.role is Role.CONTROLNET]
        return file.sha256, file.facts["control"], file.facts["controls"]

    assert shown() == ("hash of union", "canny", serves["controls"])
    assert shown(control_type="depth", control_image="map") == ("hash of union", "depth", serves["controls"])
    shop.add("deep", Kind.CONTROLNET, facts={"control": "depth", "controls": ["depth"]})
    assert shown(control_type="depth", control_image="map")[0] == "hash of deep"


def test_a_model_without_controlnets_says_that_they_are_not_used(shop: Shop) -> None:
    shop.registry = Registry(Settings(data_dir=shop.catalogue.folder.parent))
    planned = shop.plan("Restyle Painter", control_type="depth", control_image="map")
    assert planned.control is None
    assert planned.notices == tuple(
        f"{name} is not used by Restyle Painter" for name in ("ControlType", "ControlImageIndex")
    )


def test_a_registered_vae_is_used_unless_the_models_own_is_asked_for(shop: Shop) -> None:
    shop.add("vae", Kind.VAE)
    assert roles(shop.plan())[Role.VAE] == "vae"
    assert Role.VAE not in roles(shop.plan(use_main_model_vae=True))
    shop.add("bare", Kind.MAIN, facts={"has_vae": False})
    planned = shop.plan("bare", use_main_model_vae=True)
    assert roles(planned)[Role.VAE] == "vae"
    assert "UseMainModelVAE: Bare brings no VAE; Vae is used" in planned.notices


def test_a_checkpoint_without_any_vae_is_refused(shop: Shop) -> None:
    shop.add("bare", Kind.MAIN, facts={"has_vae": False})
    with pytest.raises(RestyleError, match=r"bare brings no VAE, and none is registered for SD 1\.5") as caught:
        shop.plan("bare")
    assert (caught.value.code, caught.value.field) == (Code.PARAMETER_NOT_AVAILABLE, "MainModel.ModelCode")


def test_what_a_client_should_know_beforehand_is_said(shop: Shop) -> None:
    changes: dict[str, Any] = {"negative_prompts": ["rain"], "parameters": {"cfg_scale": 1, "sampler": "Heun"}}
    notices = shop.plan(**changes).notices
    assert "NegativePrompts have no part at CFGScale 1" in notices
    assert "Sampler Heun: twice" in notices
    assert shop.plan(strength=0, **changes).notices == (
        "StyleReferStrength 0 returns the raw image; nothing was drawn",
    )


def test_a_removed_file_takes_no_part_and_is_not_found(shop: Shop) -> None:
    shop.add("vae", Kind.VAE)
    planned = shop.plan()
    assert shop.registry.file(planned.files[0].sha256).name == "real.safetensors"
    shop.catalogue.remove("real")
    with pytest.raises(RestyleError) as caught:
        shop.registry.file(planned.files[0].sha256)
    assert caught.value.code is Code.MODEL_NOT_FOUND
