"""The check that an operator runs on a real checkpoint."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from restyle.conversion import trial
from restyle.wire.errors import RestyleError
from tests.support.command import restyle

if TYPE_CHECKING:
    from tests.support.studio import Studio

# the samplers' library hands tensors to NumPy in ways that NumPy will not take for ever
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword"),
    pytest.mark.filterwarnings("ignore:__array_wrap__ must accept context"),
]


@pytest.fixture
def quick(studio: "Studio") -> Iterator[str]:
    """A main model whose defaults ask for few steps."""
    from tests.support.studio import QUICK

    with studio.registered("sd15", defaults={"Steps": 2}, recipe={**QUICK, "steps_least": 2}) as file:
        yield file.name


def test_it_draws_reports_and_leaves_a_sheet(quick: str, studio: "Studio", tmp_path: Path) -> None:
    """As the command says it."""
    variables = {
        "RESTYLE_DATA_DIR": str(studio.settings.data_dir),
        "RESTYLE_REGISTRY": "",
        "RESTYLE_THREADS": "1",
        "RESTYLE_DIFFUSION_PRECISION": "float32",
        "RESTYLE_DIFFUSION_DEVICE": "cpu",
    }
    ran = restyle("models", "verify", quick, "--out", tmp_path / "out", folder=tmp_path, **variables)
    assert ran.code == 0, ran
    report = dict(line.split(": ", 1) for line in ran.out.splitlines())
    assert report["Steps"] == "2"
    assert report["Size"] == "64 x 64"
    assert report["Style route"] == "style injection"
    assert report["Repeats exactly"] == "yes"
    assert int(report["Peak memory"].split()[0]) > 100
    assert len(list((tmp_path / "out").glob("*-*.png"))) == 6
    with Image.open(report["Sheet"]) as sheet:
        assert sheet.width > 5 * 64


def test_a_model_whose_strength_does_not_grow_is_told(
    quick: str, studio: "Studio", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "STRENGTHS", (0.5, 0.005))
    with pytest.raises(RestyleError, match="further from the raw image"):
        trial.trial(quick, studio.settings, tmp_path)
