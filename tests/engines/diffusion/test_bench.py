"""That the measuring of the engine works; what it measures is the bench's to say, not a test's."""

import pytest

from benchmarks import diffusion
from tests.support.studio import Studio


def test_it_tells_what_is_spent_inside_and_outside_the_networks(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diffusion, "STEPS", 3)
    monkeypatch.setattr(diffusion, "ROUNDS", 1)
    section = diffusion.run(studio.engine, studio.file("sd15 folder"))
    assert section.bars
    assert "UNet" in section.text[0]
