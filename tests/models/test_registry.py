import pytest

from restyle.engines.base import Feature
from restyle.errors import RestyleError
from restyle.models.registry import EngineFamily, MainModel, Registry, SubModel
from restyle.settings import Settings
from restyle.wire.codes import Code

DIFFUSION = EngineFamily("diffusion", "somewhere:load", 2, frozenset({Feature.TEXT, Feature.LORA}))


@pytest.mark.parametrize("code", ["Restyle Painter", "PICPIK Interior Design"])
def test_the_painter_answers_to_its_own_code_and_to_the_one_on_the_page(code: str) -> None:
    model = Registry(Settings()).main(code)
    assert model.code == code
    assert model.family.name == "painter"
    assert model.is_official


def test_an_operators_model_takes_over_the_code_of_the_page() -> None:
    own = MainModel("PICPIK Interior Design", "My checkpoint", DIFFUSION)
    registry = Registry(Settings(), main=[own])
    assert registry.main("PICPIK Interior Design") is own
    assert registry.main("Restyle Painter").family.name == "painter"


@pytest.mark.parametrize("code", ["", "restyle painter", "Restyle Painter ", "x" * 500])
def test_an_unknown_main_model_is_named(code: str) -> None:
    with pytest.raises(RestyleError) as caught:
        Registry(Settings()).main(code)
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
    assert Registry(Settings(painter_price=price)).main("Restyle Painter").points(width, height, count, 10) == points


def test_the_painter_takes_no_sub_model_whatever_its_code() -> None:
    registry = Registry(Settings())
    with pytest.raises(RestyleError) as caught:
        registry.sub("x", registry.main("Restyle Painter"), field="SubModelList[0].ModelCode")
    assert caught.value.code is Code.SUB_MODEL_UNFIT
    assert caught.value.field == "SubModelList[0].ModelCode"


def test_a_sub_model_must_exist_and_be_of_a_kind_the_main_model_takes() -> None:
    lora, embedding = SubModel("ink", "Ink", Feature.LORA), SubModel("bad", "Bad", Feature.EMBEDDING)
    main = MainModel("sd", "SD", DIFFUSION)
    registry = Registry(Settings(), main=[main], sub=[lora, embedding])
    assert registry.sub("ink", main, field="SubModelList[0].ModelCode") is lora
    for code, expected in (("none", Code.MODEL_NOT_FOUND), ("bad", Code.SUB_MODEL_UNFIT)):
        with pytest.raises(RestyleError) as caught:
            registry.sub(code, main, field="SubModelList[0].ModelCode")
        assert caught.value.code is expected
