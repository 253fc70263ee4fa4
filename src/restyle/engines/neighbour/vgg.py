"""VGG16's convolutions in torch, to look at pictures and to send what is missing back to their pixels."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as nn

from restyle.engines.neighbour.weights import CONVOLUTIONS, MEAN_BGR, Weights

Tensor = torch.Tensor
Maps = Mapping[str, Tensor]
"""Layer name -> activations after the ReLU, float32 (1, channels, h, w)."""


class VGG16:
    """The network up to the last of ``weights``, which start at conv1_1."""

    def __init__(self, weights: Weights, device: torch.device) -> None:
        self.device = device
        self._mean = torch.from_numpy(MEAN_BGR).view(1, 3, 1, 1).to(device)
        self._kernels = [self._placed(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))) for kernel, _ in weights]
        self._biases = [torch.tensor(bias).to(device) for _, bias in weights]

    def __call__(self, picture: Tensor, layers: Collection[str]) -> dict[str, Tensor]:
        """float32 (1, 3, H, W), sRGB 0..1, to the activations of ``layers`` (names of ``CONVOLUTIONS``)."""
        x = (picture.flip(1) * 255 - self._mean).contiguous(memory_format=torch.channels_last)
        maps: dict[str, Tensor] = {}
        for name, kernel, bias in zip(CONVOLUTIONS, self._kernels, self._biases, strict=False):
            if name.endswith("_1") and name != "1_1":
                x = nn.max_pool2d(x, 2, ceil_mode=True)
            x = nn.relu(nn.conv2d(x, kernel, bias, padding=1), inplace=True)
            if name in layers:
                maps[name] = x
            if len(maps) == len(layers):
                break
        return maps

    def _placed(self, kernel: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> Tensor:
        return torch.from_numpy(kernel).to(self.device).contiguous(memory_format=torch.channels_last)


def rows(activations: Tensor) -> Tensor:
    """(1, channels, h, w) to (h * w, channels)."""
    return activations[0].flatten(1).T


def on_grid(maps: Maps, layers: Sequence[str], height: int, width: int) -> list[Tensor]:
    """Each of ``layers`` at ``height`` x ``width``, as :func:`rows`: finer ones averaged, coarser ones interpolated."""
    return [rows(_at(maps[layer], height, width)) for layer in layers]


def _at(x: Tensor, height: int, width: int) -> Tensor:
    rest_down, rest_across = x.shape[2] % height, x.shape[3] % width
    if x.shape[2] >= height and x.shape[3] >= width:
        if rest_down or rest_across:
            return nn.adaptive_avg_pool2d(x, (height, width))
        # The same averages, from a function that is faster backwards.
        return nn.avg_pool2d(x, (x.shape[2] // height, x.shape[3] // width))
    return nn.interpolate(x, (height, width), mode="bilinear", align_corners=False)
