"""Seeing with the engine's network: how far a picture is from another's things, and from another's style."""

from pathlib import Path

import torch

from restyle.engines.neighbour.vgg import VGG16, Maps
from restyle.engines.neighbour.weights import CONVOLUTIONS, read_weights
from restyle.images.pixels import Pixels

CONTENT = "4_1"
STYLE = ("1_1", "2_1", "3_1", "4_1")


def load(path: Path) -> "Eye":
    """An eye (see ``engines.base``) with the weights of ``path``. Raises RestyleError as reading them does."""
    return Eye(VGG16(read_weights(path, CONVOLUTIONS.index(CONTENT) + 1), torch.device("cpu")))


class Eye:
    """Distances are relative: 0 is equal, about 1 is nothing in common."""

    name = "VGG16"

    def __init__(self, network: VGG16) -> None:
        self._network = network

    def content(self, picture: Pixels, raw: Pixels) -> float:
        """Of activations in place: relative L2 of relu4_1 (Gatys, Ecker and Bethge 2016)."""
        seen, wanted = (self._seen(each)[CONTENT] for each in (picture, raw))
        return float((seen - wanted).norm() / wanted.norm())

    def style(self, picture: Pixels, style: Pixels) -> float:
        """Of the channels' means and deviations wherever they are (Li et al. 2017), mean of four layers."""
        seen, wanted = self._seen(picture), self._seen(style)
        return sum(_moments_apart(seen[layer], wanted[layer]) for layer in STYLE) / len(STYLE)

    @torch.inference_mode()
    def _seen(self, picture: Pixels) -> Maps:
        given = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 255
        return self._network(given, STYLE)


def _moments_apart(first: torch.Tensor, second: torch.Tensor) -> float:
    one, two = (torch.cat([each.mean((-2, -1)), each.std((-2, -1))]) for each in (first, second))
    return float((one - two).norm() / two.norm())
