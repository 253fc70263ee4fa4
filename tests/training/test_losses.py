"""What the terms of the loss tell apart."""

from importlib.util import find_spec

import pytest

if find_spec("torch") is None:
    pytest.skip("torch is not installed", allow_module_level=True)

import torch
from torch import Tensor

from training.losses import halo_loss

STYLE = torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))


def figure() -> tuple[Tensor, Tensor]:
    """A dark square before a sky (1, 3, 96, 96), and how far each pixel is away from it."""
    across = torch.arange(96)
    away = torch.maximum((across[:, None] - 48).abs(), (across - 48).abs()) - 12
    return torch.where(away > 0, 0.8, 0.1).expand(1, 3, -1, -1), away


def test_another_colour_of_sky_is_no_halo() -> None:
    photograph, _ = figure()
    colours = torch.tensor([0.2, -0.5, 0.9]).view(1, 3, 1, 1)
    assert halo_loss(0.4 + 0.5 * colours * photograph, photograph, STYLE) < 0.01


@pytest.mark.parametrize("width", [8, 16])
def test_another_colour_around_a_figure_is_one(width: int) -> None:
    photograph, away = figure()
    drawn = torch.where((away > 0) & (away <= width), 0.9, 0.5 * photograph)
    assert halo_loss(drawn, photograph, STYLE) > 0.05
