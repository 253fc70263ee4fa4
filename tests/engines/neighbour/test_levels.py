"""Levels and tiles: any size, bounded memory, no seams."""

import numpy as np
import pytest
import torch

from restyle.engines.neighbour import levels as module
from restyle.engines.neighbour.engine import Neighbour
from restyle.engines.neighbour.levels import Level, levels, tiles
from tests.engines.neighbour.test_engine import STYLE, Convert, convert, far
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


def test_tiles_show_no_seams(convert: Convert, neighbour: Neighbour, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where tiles meet, neighbouring pixels differ no more than elsewhere."""
    monkeypatch.setattr(module, "WHOLE_SIDE", 100)
    monkeypatch.setattr(module, "TILE", 96)
    raw = photograph("astronaut", 192, 192)
    drawn = convert(raw, STYLE)[0].astype(float)
    jumps = np.abs(np.diff(drawn, axis=1)).mean((0, 2))
    near = np.r_[jumps[88:94], jumps[97:103]].mean()
    assert jumps[95] < 1.35 * near
    assert far(drawn.astype(np.uint8), raw) > 5


def test_memory_of_the_matching_does_not_grow_with_both_pictures(neighbour: Neighbour) -> None:
    """No matrix of all places by all places: a large picture is matched in blocks."""
    from restyle.engines.neighbour.reference import MOST_COLUMNS, look

    big = torch.rand(1, 3, 768, 1024, generator=torch.Generator().manual_seed(0))
    reference = look(neighbour._network, [big])
    assert len(reference.columns) <= MOST_COLUMNS
