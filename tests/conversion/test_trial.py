"""The check that an operator runs on a real checkpoint."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from restyle.conversion import trial
from restyle.wire.errors import RestyleError

if TYPE_CHECKING:
    from tests.support.studio import Studio

# the samplers' library hands tensors to NumPy in ways that NumPy will not take for ever
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword"),
    pytest.mark.filterwarnings("ignore:__array_wrap__ must accept context"),
]


def test_it_draws_reports_and_leaves_a_sheet(studio: "Studio", tmp_path: Path) -> None:
    report = trial.trial("sd15 folder", studio.settings, tmp_path / "out")
    assert report["Size"] == "64 x 64"
    assert report["Style route"] == "style injection"
    assert report["Repeats exactly"] == "yes"
    assert int(str(report["Peak memory"]).split()[0]) > 100
    assert len(list((tmp_path / "out").glob("*-*.png"))) == 6
    with Image.open(str(report["Sheet"])) as sheet:
        assert sheet.width > 5 * 64


def test_a_model_whose_strength_does_not_grow_is_told(
    studio: "Studio", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "STRENGTHS", (0.5, 0.005))
    with pytest.raises(RestyleError, match="further from the raw image"):
        trial.trial("sdxl folder", studio.settings, tmp_path)
