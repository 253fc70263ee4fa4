"""The bar of the engine that does not depend on a real checkpoint."""

from benchmarks import diffusion
from tests.support.studio import Studio


def test_little_is_spent_outside_the_networks(studio: Studio) -> None:
    section = diffusion.run(studio.engine, studio.file("sd15 folder"))
    assert all(bar.met for bar in section.bars), section.text
    assert "UNet" in section.text[0]
