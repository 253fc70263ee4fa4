"""A new engine is one folder (``tests/support/toy``) and one line (in ``tests/support/engines.py``) for every door."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

import restyle
from tests.support.engines import REGISTRY
from tests.support.pictures import picture
from tests.support.service import RunningService, submission


def test_the_service_lists_prices_and_draws_with_it(service: RunningService) -> None:
    listed = service.call("ListModels")["MainModels"]
    assert listed["Toy"]["InferenceParams"] == {"Steps": 8}
    assert listed["Toy"]["IsOfficial"]
    request = submission(MainModel={"ModelCode": "Toy"}, Seed=5, StyleReferStrength=1.0, Width=1000, Height=1000)
    detail = service.finished(**{**request, "PositivePrompts": ["sun"]})
    assert detail["ConsumeApiPoint"] == 4  # 1 megapixel x 0.5 x 8 steps
    assert detail["Notices"] == ["PositivePrompts is not used by Toy"]
    with Image.open(BytesIO(service.http.get(detail["ImgList"][0]).content)) as drawn:
        assert "Steps: 8, Seed: 5, Size: 1000x1000, Model: Toy" in drawn.info["parameters"]


def test_it_takes_no_sub_models(service: RunningService) -> None:
    request = submission(MainModel={"ModelCode": "Toy"}, SubModelList=[{"ModelCode": "x"}])
    assert service.call("ApplyReferenceStyle", **request)["RetCode"] == 4005


def test_the_library_draws_the_same(service: RunningService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTYLE_REGISTRY", REGISTRY)
    raw = picture(24, 32)
    (here,) = restyle.convert(raw, raw, model="Toy", seed=5, width=64, height=64)
    (there,) = service.images(**submission(MainModel={"ModelCode": "Toy"}, Seed=5))
    with Image.open(BytesIO(there)) as drawn:
        assert np.array_equal(np.asarray(here), np.asarray(drawn))
