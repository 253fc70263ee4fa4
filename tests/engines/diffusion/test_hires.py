"""Pictures of every size: what is drawn at which size, and that tiles make one picture."""

import numpy as np
import pytest
import torch
from PIL import Image

from restyle.engines.diffusion.guidance import Window
from restyle.engines.diffusion.hires import Plan, Tiled, enlarged, windows
from tests.support.pictures import picture
from tests.support.studio import Studio


@pytest.mark.parametrize(
    ("width", "height", "native", "levels"),
    [
        (512, 512, 512, 1),
        (640, 560, 512, 1),
        (1024, 1024, 512, 2),
        (2560, 2560, 512, 3),
        (2560, 64, 512, 1),
        (1024, 1024, 1024, 1),
        (2560, 2560, 1024, 2),
        (64, 64, 1024, 1),
        (2559, 1001, 1024, 2),
    ],
)
def test_plans_begin_near_native_size_and_end_at_the_pictures(
    width: int, height: int, native: int, levels: int
) -> None:
    plan = Plan.of(width, height, native)
    assert len(plan.sizes) == levels
    assert plan.sizes[-1] == (width, height)
    if levels > 1:
        first = plan.sizes[0][0] * plan.sizes[0][1]
        assert first == pytest.approx(native**2, rel=0.1)
        for (below, _), (above, _) in zip(plan.sizes, plan.sizes[1:], strict=False):
            assert 1 < above / below < 2.6
    assert min(min(size) for size in plan.sizes) >= 64


@pytest.mark.parametrize(("height", "width", "side"), [(8, 8, 8), (20, 33, 8), (8, 9, 8), (5, 30, 8), (320, 320, 64)])
def test_tiles_cover_everything_and_overlap(height: int, width: int, side: int) -> None:
    covered = np.zeros((height, width), int)
    for window in windows(height, width, side):
        covered[window.top : window.top + window.height, window.left : window.left + window.width] += 1
        assert window.height == min(side, height)
        assert window.width == min(side, width)
    assert covered.min() >= 1
    if width > side:
        assert (covered > 1).any()


def test_averaged_tiles_of_a_local_prediction_are_the_whole() -> None:
    def local(seen: torch.Tensor, timestep: torch.Tensor, window: Window | None = None) -> torch.Tensor:
        return 3 * seen + 1

    seen = torch.randn(1, 4, 20, 29)
    tiled = Tiled(local, 20, 29, 8, lambda: None)  # type: ignore[arg-type]
    assert torch.allclose(tiled(seen, torch.tensor(5)), 3 * seen + 1, atol=1e-5)


def test_an_enlargement_keeps_the_raw_images_detail_by_its_share() -> None:
    raw = np.asarray(picture(96, 80))
    small = np.asarray(Image.fromarray(raw).resize((40, 48), Image.Resampling.LANCZOS))
    full, none = (enlarged(small, raw, (80, 96), texture).astype(float) for texture in (1.0, 0.0))
    assert np.abs(full - raw).mean() < 1
    assert np.abs(none - raw).mean() > np.abs(full - raw).mean()


def test_above_native_size_the_composition_is_that_of_the_base(studio: Studio, base: str) -> None:
    raw = np.asarray(picture(72, 104))
    assert studio.describe(f"{base} folder", raw=raw).parameters["Hires from"] == "80x64"
    drawn = studio.draw(f"{base} folder", raw=raw, strength=0.1)
    assert drawn.shape == raw.shape
    again = studio.batch(f"{base} folder", raw=raw, strength=0.1, seeds=(6, 7))[1]
    assert np.array_equal(drawn, again)
    assert not np.array_equal(drawn, studio.draw(f"{base} folder", raw=raw, strength=0.1, steps=3))
