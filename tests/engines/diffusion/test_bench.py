"""The bars of the engine that do not depend on a real checkpoint."""

import time
from pathlib import Path

from benchmarks import diffusion
from restyle.models.catalogue import Architecture
from tests.support import checkpoints
from tests.support.studio import Studio


def test_little_is_spent_outside_the_networks(studio: Studio) -> None:
    section = diffusion.run(studio.engine, studio.file("sd15 folder"))
    assert all(bar.met for bar in section.bars), section.text
    assert "UNet" in section.text[0]


def test_tiny_checkpoints_are_built_quickly(tmp_path: Path) -> None:
    start = time.process_time()
    for base in Architecture:
        checkpoints.folder(tmp_path / base, base)
        checkpoints.single_file(tmp_path / f"{base}.safetensors", base)
    assert time.process_time() - start < 10
