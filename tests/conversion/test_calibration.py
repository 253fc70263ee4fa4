"""Equal steps of the strength that look equal, on tiny checkpoints and through the command."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from restyle.conversion.likeness import Plain
from restyle.conversion.trial_pictures import hills, still_life
from restyle.images.encode import encode_png
from restyle.models.catalogue import Catalogue
from tests.support.command import restyle
from tests.support.pictures import picture

VARIABLES = {
    "RESTYLE_REGISTRY": "",
    "RESTYLE_DIFFUSION_PRECISION": "float32",
    "RESTYLE_DIFFUSION_DEVICE": "cpu",
    "RESTYLE_THREADS": "1",
}


@pytest.mark.skipif(find_spec("diffusers") is None, reason="needs the extra diffusion")
@pytest.mark.filterwarnings("ignore:__array")
def test_a_checkpoint_is_calibrated_by_command(tmp_path: Path) -> None:
    """The steps of the table that is kept are even within 10 %, although a random decoder makes another picture of the
    least noise: a sixth of the way is gone where drawing begins.
    """
    from restyle.models.kinds import Architecture
    from tests.support import checkpoints

    checkpoints.folder(tmp_path / "model", Architecture.SD15)
    for part, seed in (("raw", 1), ("style", 2)):
        (tmp_path / "pairs" / part).mkdir(parents=True)
        (tmp_path / "pairs" / part / "one.png").write_bytes(encode_png(np.asarray(picture(64, 64, seed))))

    def run(*arguments: str) -> object:
        return restyle("models", *arguments, "--json", folder=tmp_path, **VARIABLES).json()

    # few steps, for the sake of time
    (tmp_path / "recipe.toml").write_text("steps_least = 2\n[injection]\ninversion_steps = 2\n")
    run("add", "model", "--code", "tiny", "--steps", "2", "--recipe", "recipe.toml")
    found = run("calibrate", "tiny", "--pairs", "pairs", "--save")
    assert isinstance(found, dict)
    assert (found["Route"], found["Eye"], found["Saved"]) == ("injection", "SSIM and colour", True)
    assert found["Spacing"] == sorted(found["Spacing"])
    assert all(abs(step - 0.25) <= 0.025 for step in found["Steps"]), found
    assert (found["IsEven"], found["Jumps"], found["Returns"]) == (True, [], [])
    assert (tmp_path / found["Sheet"]).exists()
    kept = Catalogue.read(tmp_path / "restyle-data").get("tiny").recipe
    assert kept == {"steps_least": 2, "injection": {"inversion_steps": 2, "spacing": found["Spacing"]}}


def test_what_cannot_be_calibrated_is_said(tmp_path: Path) -> None:
    for arguments, code, reason in (
        (("Restyle Painter",), 2, "is no registered checkpoint"),
        (("none",), 4, "no main model has the ModelCode"),
    ):
        ran = restyle("models", "calibrate", *arguments, folder=tmp_path, RESTYLE_REGISTRY="")
        assert (ran.code, ran.out, len(ran.err.splitlines())) == (code, "", 1)
        assert reason in ran.err


def test_an_eye_without_a_network_tells_things_from_style() -> None:
    raw, style = still_life(64), hills(64)
    eye = Plain()
    assert eye.content(raw, raw) == pytest.approx(0, abs=1e-6)
    assert eye.style(style, style) == 0
    half = ((raw.astype(np.uint16) + style) // 2).astype(np.uint8)
    assert 0 < eye.content(half, raw) < eye.content(style, raw)
    assert 0 < eye.style(half, style) < eye.style(raw, style)
