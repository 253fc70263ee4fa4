"""Tiles cut out of tensors: pixels as the network sees them, and of what it says the part that counts."""

from restyle.engines.neighbour.levels import Tile
from restyle.engines.neighbour.reference import CELL
from restyle.engines.neighbour.vgg import Tensor


def crop(picture: Tensor, tile: Tile) -> Tensor:
    """Of float32 (1, 3, H, W), the tile with its margin."""
    return picture[:, :, tile.top : tile.bottom, tile.left : tile.right]


def cells(tile: Tile) -> tuple[int, int]:
    """Cells of hypercolumns down and across a tile with its margin."""
    return _up(tile.bottom - tile.top, CELL), _up(tile.right - tile.left, CELL)


def inner(columns: Tensor, tile: Tile) -> Tensor:
    """Of the hypercolumns (N, channels) of a tile with its margin, those of its inner part."""
    return _inner(columns.view(*cells(tile), -1), tile, CELL).flatten(0, 1)


def inner_rows(activations: Tensor, tile: Tile, cell: int) -> Tensor:
    """The same of (1, channels, h, w) with a place every ``cell`` pixels."""
    return _inner(activations[0].permute(1, 2, 0), tile, cell).flatten(0, 1)


def _inner(values: Tensor, tile: Tile, cell: int) -> Tensor:
    top, left = (tile.inner_top - tile.top) // cell, (tile.inner_left - tile.left) // cell
    bottom, right = _up(tile.inner_bottom - tile.top, cell), _up(tile.inner_right - tile.left, cell)
    return values[top:bottom, left:right]


def _up(length: int, cell: int) -> int:
    return -(-length // cell)
