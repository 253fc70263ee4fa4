"""Contrast as in another picture."""

import torch

from restyle.engines.neighbour.pyramid import with_contrast


def test_lines_gain_what_grain_loses() -> None:
    """A faint pattern beside grain, as in a picture of a clear pattern beside an empty half."""
    grain = 0.04 * torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    lines = (torch.arange(32) // 2 % 2).float().expand(1, 3, 32, 32)
    picture = 0.5 + torch.cat([grain, 0.2 * lines], dim=3)
    like = 0.3 + torch.cat([0 * grain, 0.35 * lines], dim=3)

    def contrast(of: torch.Tensor) -> tuple[float, float]:
        return float(of[..., 8:24].std()), float(of[..., 40:56].std())

    (grain_before, lines_before), (grain_after, lines_after) = map(contrast, (picture, with_contrast(picture, like, 1)))
    assert grain_after < 0.6 * grain_before
    assert lines_after > 1.3 * lines_before
    assert torch.allclose(with_contrast(picture, like, 0), picture, atol=1e-6)
