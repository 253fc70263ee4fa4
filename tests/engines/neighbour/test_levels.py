"""Levels and tiles: any size, bounded memory, no seams."""

from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from restyle.engines.base import File
from restyle.engines.neighbour import levels as module
from restyle.engines.neighbour.levels import Level, levels, tiles
from restyle.engines.neighbour.optimise import Goal, optimised
from restyle.engines.neighbour.reference import MOST_COLUMNS, look
from restyle.engines.neighbour.vgg import VGG16
from restyle.engines.neighbour.weights import read_weights
from tests.engines.neighbour.test_engine import STYLE, Convert, convert, far
from tests.support.networks import random_weights
from tests.support.photographs import photograph

__all__ = ["convert"]


@pytest.mark.parametrize(("width", "height"), [(64, 64), (65, 200), (512, 512), (64, 2560), (2560, 2560), (1000, 731)])
def test_levels_grow_to_the_whole_picture(width: int, height: int) -> None:
    plan = levels(width, height, 30)
    assert (plan[-1].width, plan[-1].height) == (width, height)
    assert plan[0].side < 110 or width * height < 110**2
    assert [level.side for level in plan] == sorted(level.side for level in plan)
    assert all(level.updates >= 2 for level in plan)


def test_more_steps_are_more_updates_on_every_level_that_counts() -> None:
    few, many = levels(512, 512, 10), levels(512, 512, 100)
    assert all(a.updates < b.updates for a, b in zip(few, many, strict=True))


@pytest.mark.parametrize(("width", "height"), [(2560, 2560), (2560, 300), (1111, 1777), (705, 705)])
def test_tiles_cover_everything_once_and_none_is_large(width: int, height: int) -> None:
    count = np.zeros((height, width), int)
    for tile in tiles(Level(width, height, 2)):
        count[tile.inner_top : tile.inner_bottom, tile.inner_left : tile.inner_right] += 1
        assert tile.top % 16 == tile.left % 16 == 0
        assert (tile.bottom - tile.top) * (tile.right - tile.left) <= module.WHOLE_SIDE**2
    assert (count == 1).all()


def test_tiles_show_no_seams(convert: Convert, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where tiles meet, neighbouring pixels differ hardly more than nearby, where columns differ by a third."""
    monkeypatch.setattr(module, "WHOLE_SIDE", 100)
    monkeypatch.setattr(module, "TILE", 96)
    raw = photograph("astronaut", 192, 192)
    drawn = convert(raw, STYLE)[0].astype(float)
    jumps = np.abs(np.diff(drawn, axis=1)).mean((0, 2))
    near = np.r_[jumps[88:94], jumps[97:103]].mean()
    assert jumps[95] < 1.5 * near
    assert far(drawn.astype(np.uint8), raw) > 5


class Largest(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Remembers the number of elements of the largest tensor that is made."""

    elements = 0

    def __torch_dispatch__(self, function: Any, types: Any, given: Any = (), named: Any = None) -> Any:
        made = function(*given, **(named or {}))
        for tensor in made if isinstance(made, tuple | list) else (made,):
            if isinstance(tensor, torch.Tensor):
                self.elements = max(self.elements, tensor.numel())
        return made


def test_memory_of_the_matching_does_not_grow_with_both_pictures(few_channels: File) -> None:
    """No matrix of all places by all places: a large picture is matched in blocks, against so many columns at most."""
    network = VGG16(read_weights(few_channels.path, 8, few_channels.sha256), torch.device("cpu"))
    random = torch.Generator().manual_seed(0)
    big = torch.rand(1, 3, 768, 1024, generator=random)
    assert len(look(network, [big]).columns) <= MOST_COLUMNS
    reference = look(network, [torch.rand(1, 3, 128, 128, generator=random)])
    used = []
    for count in (10_000, 30_000):
        queries = torch.rand(count, reference.keys.shape[1], generator=random)
        with Largest() as largest:  # type: ignore[no-untyped-call]
            assert len(reference.nearest(queries)) == count
        used.append(largest.elements)
    assert used[0] == used[1] < 10_000 * len(reference.columns)


def test_activations_of_a_level_in_tiles_are_those_of_one_tile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WHOLE_SIDE", 100)
    monkeypatch.setattr(module, "TILE", 96)
    channels = 32
    network = VGG16(random_weights(channels=(3, *[channels] * 8)), torch.device("cpu"))
    random = torch.Generator().manual_seed(0)
    reference = look(network, [torch.rand(1, 3, 48, 48, generator=random)])
    used = []
    for side in (288, 384):
        photograph = torch.rand(1, 3, side, side, generator=random)
        goal = Goal(photograph, reference, strength=1.0, first=True)
        with Largest() as largest:  # type: ignore[no-untyped-call]
            optimised(network, photograph, goal, Level(side, side, 1), random, lambda fraction: None)
        used.append(largest.elements)
    # of the first layer, for a tile in the middle, seen with its margins
    assert used[0] == used[1] == channels * (96 + 2 * module.MARGIN) ** 2
