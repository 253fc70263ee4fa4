"""What of the photograph's lightness is held, and what is left to the reference."""

import pytest
import torch

from restyle.engines.neighbour.outline import lightness_of, outline_of
from restyle.engines.neighbour.terms import roughness, structure
from restyle.engines.neighbour.views import tensor
from tests.support.photographs import photograph

PHOTOGRAPH = tensor(photograph("chelsea", 96, 64), torch.device("cpu"))


def test_brightness_contrast_and_colour_are_the_references_and_structure_the_photographs() -> None:
    octaves = outline_of(PHOTOGRAPH).octaves
    green = torch.zeros_like(PHOTOGRAPH)
    green[:, 1:2] = 0.9 - 0.4 * (1 - lightness_of(PHOTOGRAPH))
    nothing = structure(torch.full_like(PHOTOGRAPH, 0.5), octaves)
    assert float(structure(green, octaves)) < 0.1 * float(nothing)
    assert float(structure(1 - green, octaves)) > 1.9 * float(nothing)


def test_grain_costs_more_where_the_photograph_is_flat() -> None:
    photograph = PHOTOGRAPH.clone()
    photograph[..., :48] = 0.5
    flatness = outline_of(photograph).flatness
    grain = 0.1 * torch.rand(1, 3, 64, 44, generator=torch.Generator().manual_seed(0))
    left, right = (torch.nn.functional.pad(grain, sides) for sides in ((0, 52), (52, 0)))
    assert float(roughness(left, flatness)) > 1.5 * float(roughness(right, flatness))
    assert float(flatness.mean()) == pytest.approx(1, abs=1e-5)


def test_a_photograph_of_one_colour_asks_for_nothing() -> None:
    flat = torch.full((1, 3, 16, 24), 0.5)
    outline = outline_of(flat)
    assert torch.allclose(outline.flatness, torch.ones(1, 1, 16, 24))
    assert float(structure(PHOTOGRAPH[..., :16, :24], outline.octaves)) < 0.05
