"""A starter set of tiny checkpoints, from a hub to a picture."""

from pathlib import Path

import pytest

from restyle.images.encode import encode_png
from restyle.models.kinds import Architecture
from tests.support import checkpoints, hub, submodels
from tests.support.command import restyle
from tests.support.starter import Tiny, written
from tests.support.studio import RAW, STYLE

SD15 = Architecture.SD15
DIFFUSION = {"diffusion_precision": "float32", "diffusion_device": "cpu", "threads": 1}


@pytest.fixture
def tiny(tmp_path: Path) -> Tiny:
    made = tmp_path / "made"
    made.mkdir()
    return written(
        "Draws",
        "tiny",
        {
            "tiny": (
                checkpoints.folder(made / "main", SD15),
                {"kind": "main", "defaults": {"Steps": 6, "CFGScale": 5.0}, "negative_prompt": "smudges"},
            ),
            "vae": (checkpoints.vae_file(made / "vae.safetensors", SD15), {"kind": "vae", "architecture": "sd15"}),
            "clip": (checkpoints.image_encoder(made / "clip"), {"kind": "image-encoder"}),
            "adapter": (
                submodels.ip_adapter(made / "adapter.safetensors", SD15),
                {"kind": "ip-adapter", "architecture": "sd15"},
            ),
            "control": (
                checkpoints.controlnet(made / "control", SD15),
                {"kind": "controlnet", "control": "tile", "architecture": "sd15"},
            ),
        },
    )


def test_a_set_from_a_hub_draws(tiny: Tiny, tmp_path: Path) -> None:
    data = tiny.tell(tmp_path / "data")
    variables = {f"RESTYLE_{name.upper()}": str(value) for name, value in DIFFUSION.items()}
    variables |= {"RESTYLE_DATA_DIR": str(data), "RESTYLE_REGISTRY": "", "NO_PROXY": "127.0.0.1"}
    with hub.hub() as served:
        tiny.put(served)
        done = restyle(
            "models", "install", "tiny", "--accept-licences", folder=tmp_path, **variables, HF_ENDPOINT=served.url
        )
    assert (done.code, done.err) == (0, "")
    for name, pixels in (("raw.png", RAW), ("style.png", STYLE)):
        (tmp_path / name).write_bytes(encode_png(pixels))
    drawn = restyle(
        "convert", "raw.png", "--style", "style.png", "--model", "tiny", "--json", folder=tmp_path, **variables
    ).json()
    told = str(drawn)
    assert "IP-Adapter ADAPTER" in told
    assert "smudges" in told
    assert (tmp_path / "raw.restyled.png").exists()
