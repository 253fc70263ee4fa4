import os
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from restyle.conversion.models import MainModel, SubModel
from restyle.conversion.registry import Registry
from restyle.engines.base import Family, Feature
from restyle.engines.families import FAMILIES
from restyle.models.catalogue import Catalogue, Entry
from restyle.models.kinds import Architecture, Kind
from restyle.settings import Settings
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError
from restyle.wire.names import DEFAULT_MODEL

MODEL = "MainModel.ModelCode"
DIFFUSION = Family("diffusion", "somewhere:load", 2, frozenset({Feature.TEXT, Feature.LORA}))


@pytest.mark.parametrize("code", [DEFAULT_MODEL, "PICPIK Interior Design"])
def test_the_default_model_answers_to_its_own_code_and_to_the_one_on_the_page(code: str) -> None:
    model = Registry(Settings()).main(code, field=MODEL)
    assert model.code == code
    assert model.family.model == DEFAULT_MODEL
    assert model.is_official


def test_the_neighbour_says_how_to_install_it_until_it_is(tmp_path: Path) -> None:
    registry = Registry(Settings(data_dir=tmp_path))
    assert registry.mains["Restyle Neighbour"].is_official
    with pytest.raises(RestyleError, match="restyle models install neighbour") as caught:
        registry.main("Restyle Neighbour", field=MODEL)
    assert caught.value.code is Code.MODEL_NOT_FOUND
    path = registry.mains["Restyle Neighbour"].weights
    assert path is not None
    path.parent.mkdir(parents=True)
    path.touch()
    model = registry.main("Restyle Neighbour", field=MODEL)
    assert model.defaults == {"Steps": 20}
    assert model.points(1000, 1000, 2, 30) == 12


def test_an_operators_model_takes_over_the_code_of_the_page() -> None:
    own = MainModel("PICPIK Interior Design", "My checkpoint", DIFFUSION)
    registry = Registry(Settings(), main=[own])
    assert registry.main("PICPIK Interior Design", field=MODEL) is own
    assert registry.main("Restyle Painter", field=MODEL).family.name == "painter"


@pytest.mark.parametrize(("engine", "price"), [("painter", 1), ("brush", 1)])
def test_an_operator_prices_each_engine_that_comes_along(engine: str, price: int) -> None:
    code = f"Restyle {engine.title()}"
    assert Registry(Settings()).main(code, field=MODEL).points(1000, 1000, 1, 10) == price
    assert (
        Registry(Settings.model_validate({f"{engine}_price": 3})).main(code, field=MODEL).points(1000, 1000, 1, 10) == 3
    )


@pytest.mark.parametrize("code", ["", "restyle painter", "Restyle Painter ", "x" * 500])
def test_an_unknown_main_model_is_named(code: str) -> None:
    with pytest.raises(RestyleError) as caught:
        Registry(Settings()).main(code, field=MODEL)
    assert caught.value.code is Code.MODEL_NOT_FOUND
    assert caught.value.field == "MainModel.ModelCode"
    assert code[:61] in caught.value.message
    assert len(caught.value.message) < 200


@pytest.mark.parametrize(
    ("width", "height", "count", "price", "points"),
    [
        (64, 64, 1, 1, 1),
        (1000, 1000, 1, 1, 1),
        (1024, 1024, 1, 1, 2),
        (1024, 1024, 4, 1, 8),
        (2560, 2560, 1, 1, 7),
        (2000, 500, 3, 0.1, 3),
        (2000, 1500, 1, 0.1, 1),
        (2500, 2000, 1, 0.2, 1),
        (1000, 1000, 16, 0, 0),
    ],
)
def test_points_are_megapixels_times_price_rounded_up_per_image(
    width: int, height: int, count: int, price: float, points: int
) -> None:
    assert (
        Registry(Settings(painter_price=price)).main("Restyle Painter", field=MODEL).points(width, height, count, 10)
        == points
    )


def test_the_painter_takes_no_sub_model_whatever_its_code() -> None:
    registry = Registry(Settings())
    with pytest.raises(RestyleError) as caught:
        registry.sub("x", registry.main("Restyle Painter", field=MODEL), field="SubModelList[0].ModelCode")
    assert caught.value.code is Code.SUB_MODEL_UNFIT
    assert caught.value.field == "SubModelList[0].ModelCode"


def test_a_sub_model_must_exist_and_be_of_a_kind_the_main_model_takes(tmp_path: Path) -> None:
    lora = SubModel(entry(tmp_path, "ink", Kind.LORA, SD15))
    embedding = SubModel(entry(tmp_path, "bad", Kind.EMBEDDING, SD15))
    main = MainModel("sd", "SD", DIFFUSION)
    registry = Registry(Settings(), main=[main], sub=[lora, embedding])
    assert registry.sub("ink", main, field="SubModelList[0].ModelCode") is lora
    for code, expected in (("none", Code.MODEL_NOT_FOUND), ("bad", Code.SUB_MODEL_UNFIT)):
        with pytest.raises(RestyleError) as caught:
            registry.sub(code, main, field="SubModelList[0].ModelCode")
        assert caught.value.code is expected


SD15, SDXL = Architecture.SD15, Architecture.SDXL


def entry(folder: Path, code: str, kind: Kind, architecture: Architecture, **more: object) -> Entry:
    path = folder / f"{code}.safetensors"
    path.touch()
    return replace(Entry(code, code.title(), kind, architecture, path, "safetensors", code, 0), **more)  # type: ignore[arg-type]


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    """A checkpoint of each family, and a sub-model of each kind for SD 1.5."""
    catalogue = Catalogue.read(tmp_path)
    for one in (
        entry(tmp_path, "real", Kind.MAIN, SD15, defaults={"Steps": 25}, facts={"widths": [320, 768], "has_vae": True}),
        entry(tmp_path, "large", Kind.MAIN, SDXL, facts={"widths": [640, 2048], "has_vae": True}),
        entry(tmp_path, "ink", Kind.LORA, SD15, trigger_words=("inky",), defaults={"LoraWeight": 0.7}),
        entry(tmp_path, "charm", Kind.EMBEDDING, SD15, trigger_words=("charm",)),
        entry(tmp_path, "wash", Kind.HYPERNETWORK, SD15, facts={"widths": [768]}),
        entry(tmp_path, "deep", Kind.HYPERNETWORK, SDXL, facts={"widths": [1280]}),
        entry(tmp_path, "vae", Kind.VAE, SD15),
    ):
        catalogue.add(one)
    return catalogue


def settings(catalogue: Catalogue) -> Settings:
    return Settings(data_dir=catalogue.folder.parent)


def test_registered_checkpoints_are_main_models_with_all_parameters(catalogue: Catalogue) -> None:
    model = Registry(settings(catalogue)).main("real", field=MODEL)
    assert model.family.honours == set(Feature)
    assert model.defaults == {"Steps": 25, "Sampler": "Euler", "ClipSkip": 1, "CFGScale": 7.5}
    assert {"Euler", "Euler a", "DDIM"} <= set(model.family.samplers)
    assert model.points(1000, 1000, 2, 25) == 10
    assert not model.is_official


def test_an_operators_checkpoint_takes_over_the_code_of_the_page(catalogue: Catalogue, tmp_path: Path) -> None:
    registry = Registry(settings(catalogue))
    assert registry.main("PICPIK Interior Design", field=MODEL).family.model == DEFAULT_MODEL
    catalogue.add(entry(tmp_path, "PICPIK Interior Design", Kind.MAIN, SD15, facts={"widths": []}))
    assert registry.main("PICPIK Interior Design", field=MODEL).family.name == "diffusion"


def test_registered_sub_models(catalogue: Catalogue) -> None:
    registry = Registry(settings(catalogue))
    assert registry.subs.keys() == {"ink", "charm", "wash", "deep"}
    real = registry.main("real", field=MODEL)
    assert registry.sub("ink", real, field="x").defaults == {"LoraWeight": 0.7}
    assert registry.sub("ink", real, field="x").trigger_words == ("inky",)
    assert registry.sub("charm", real, field="x").defaults == {}
    assert registry.sub("wash", real, field="x").defaults == {"LoraWeight": 1}


@pytest.mark.parametrize(
    ("main", "sub", "reason"),
    [
        ("large", "ink", "ink is made for SD 1.5, and large is of SDXL"),
        ("large", "charm", "charm is made for SD 1.5"),
        ("large", "wash", "wash is made for SD 1.5"),
        ("real", "deep", "deep is made for SDXL, and real is of SD 1.5"),
        ("large", "deep", "deep has networks for the widths 1280; the attention of large has 640, 2048"),
        ("Restyle Painter", "ink", "takes no sub-models"),
    ],
)
def test_a_sub_model_for_another_base_is_refused(catalogue: Catalogue, main: str, sub: str, reason: str) -> None:
    registry = Registry(settings(catalogue))
    with pytest.raises(RestyleError, match=reason) as caught:
        registry.sub(sub, registry.main(main, field=MODEL), field="SubModelList[1].ModelCode")
    assert caught.value.code is Code.SUB_MODEL_UNFIT
    assert caught.value.field == "SubModelList[1].ModelCode"


def test_changes_are_seen_at_the_next_look(catalogue: Catalogue, tmp_path: Path) -> None:
    registry = Registry(settings(catalogue))
    other = Catalogue.read(tmp_path)
    other.add(entry(tmp_path, "new", Kind.MAIN, SD15, facts={"widths": []}))
    assert registry.main("new", field=MODEL).name == "New"
    other.remove("new")
    with pytest.raises(RestyleError):
        registry.main("new", field=MODEL)
    other.file.unlink()
    assert registry.mains.keys() == {"Restyle Brush", "Restyle Painter", "PICPIK Interior Design", "Restyle Neighbour"}


def test_a_catalogue_broken_meanwhile_changes_nothing_until_it_is_mended(catalogue: Catalogue) -> None:
    registry = Registry(settings(catalogue))
    whole = catalogue.file.read_text()
    catalogue.file.write_text(whole + "[[model]]\ncode = ")
    with capture_logs() as logs:
        assert registry.main("real", field=MODEL).code == "real"
        assert registry.main("large", field=MODEL).code == "large"
    assert [log["event"] for log in logs] == ["the catalogue cannot be read; the models stay as they were"]
    catalogue.file.write_text(whole.replace('"large"', '"larger"'))
    assert registry.mains["larger"].entry.architecture is SDXL  # type: ignore[union-attr]
    catalogue.file.write_text("x")
    with pytest.raises(RestyleError, match="is broken"):
        Registry(settings(catalogue))


def test_a_model_whose_file_is_gone(catalogue: Catalogue) -> None:
    registry = Registry(settings(catalogue))
    real = registry.main("real", field=MODEL)
    for code in ("real", "ink"):
        os.rename(catalogue.get(code).path, catalogue.get(code).path.with_suffix(".away"))
    with pytest.raises(RestyleError, match='"real" cannot draw: its file is gone from the server') as caught:
        registry.main("real", field=MODEL)
    assert caught.value.code is Code.MODEL_NOT_FOUND
    with pytest.raises(RestyleError, match='"ink" cannot be used: its file is gone') as caught:
        registry.sub("ink", real, field="SubModelList[0].ModelCode")
    assert caught.value.code is Code.MODEL_NOT_FOUND
    assert str(catalogue.folder.parent) not in caught.value.message
    path = catalogue.get("real").path
    os.rename(path.with_suffix(".away"), path)
    assert registry.main("real", field=MODEL) == real


def test_without_the_libraries_requests_are_told_what_to_install(catalogue: Catalogue) -> None:
    lacking = [replace(family, libraries=("json", "a_library_nobody_has")) for family in FAMILIES]
    registry = Registry(settings(catalogue), families=lacking)
    with pytest.raises(
        RestyleError, match=r"lacks a_library_nobody_has; .*pip install 'restyle\[diffusion\]'"
    ) as caught:
        registry.main("real", field=MODEL)
    assert caught.value.code is Code.MODEL_NOT_FOUND
    assert "real" in registry.mains


def test_a_shipped_model_may_lack_something(catalogue: Catalogue) -> None:
    family = Family("other", "somewhere:load", 1)
    lacking = MainModel("Other", "Other", family, is_official=True, missing="its weights are not installed")
    registry = Registry(settings(catalogue), main=[lacking])
    with pytest.raises(RestyleError, match='"Other" cannot draw: its weights are not installed'):
        registry.main("Other", field=MODEL)
