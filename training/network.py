"""The brush: a photograph and a reference, as VGG16 sees them, in; the photograph redrawn out."""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as nn
from torch import Tensor
from torch.nn import Conv2d, Module, ModuleDict, Parameter, ParameterDict, init

from training.attention import (
    COMPARED,
    Corrections,
    attention,
    columns,
    corrected,
    dressed,
    enlarged,
    gathered,
    grouped,
    matched,
    normal,
    own_moments,
)
from training.encoder import COLOURS, PICTURE, STRIDE, Maps
from training.guided import calmed

NOISES = {"four": 8, "three0": 4, "three1": 4, "half0": 4, "half1": 2, "half2": 2, "full0": 1}
"""The layers that are given noise, in order, and how many pixels one of their places covers."""
SLOPE = 0.1
"""Of the leaky ReLU below zero."""


class Brush(Module):
    """``channels`` are the encoder's, of each layer.

    ``width`` channels are drawn with at an eighth and a quarter of the size, half as many at the half, a quarter of
    them at the end.

    Noise: Karras, Laine, Aila, A Style-Based Generator Architecture for Generative Adversarial Networks (CVPR 2019); it
    gives flat areas something to draw strokes from. Local statistics of relu2_1 and 1_1 scale and shift the layers that
    draw fine detail: Perez, Strub, de Vries, Dumoulin, Courville, FiLM (AAAI 2018). Past the coarser layers
    come the photograph's relu2_1 and, at the end, its pixels, both normalised (Ronneberger, Fischer, Brox, U-Net,
    MICCAI 2015): what only relu3_1 and 4_1 say of an outline leaves a halo around it.
    """

    def __init__(self, channels: Mapping[str, int], width: int = 256, key: int = 192) -> None:
        super().__init__()
        if width % 4:
            raise ValueError(f"width must be a multiple of 4, not {width}")
        half, quarter = width // 2, width // 4
        self.query, self.key = (Conv2d(sum(channels[name] for name in COMPARED), key, 1, bias=False) for _ in range(2))
        init.orthogonal_(self.query.weight)
        self.key.load_state_dict(self.query.state_dict())  # at first: cosines of a random projection
        self.sharpness = Parameter(torch.tensor(32.0).log())
        self.matching = ParameterDict({name: torch.zeros(1, channels[name], 1, 1) for name in ("3_1", "4_1")})
        sides = {
            "four": (channels["4_1"], width, 3),
            "join": (width + channels["3_1"], width, 1),
            "three0": (width, width, 3),
            "three1": (width, width, 3),
            "half0": (width, half, 3),
            "half1": (half, half, 3),
            "half2": (half, quarter, 3),
            "full0": (quarter, quarter, 3),
            "full1": (quarter, 3, 3),
        }
        self.convolutions = ModuleDict({n: Conv2d(i, o, k, padding=k // 2) for n, (i, o, k) in sides.items()})
        self.noises = ParameterDict({name: torch.full((1, sides[name][1], 1, 1), 0.05) for name in NOISES})
        self.tints = ModuleDict({"half1": Conv2d(2 * channels["2_1"], 2 * half, 1)})
        self.tints["half2"] = Conv2d(2 * channels["1_1"], 2 * quarter, 1)
        self.skips = ModuleDict({"half1": Conv2d(channels["2_1"], half, 1, bias=False)})
        self.skips["full0"] = Conv2d(3, quarter, 3, padding=1, bias=False)
        for skip in self.skips.values():
            assert isinstance(skip, Conv2d)
            init.zeros_(skip.weight)
        for layer in self.tints.values():
            assert isinstance(layer, Conv2d)
            assert layer.bias is not None
            init.normal_(layer.weight, std=0.01)
            init.zeros_(layer.bias)

    def forward(
        self,
        content: Maps,
        style: Maps,
        noise: Sequence[Tensor],
        strength: Tensor | float = 1.0,
        corrections: Corrections | None = None,
    ) -> Tensor:
        """Pictures (B, 3, H, W), float32, about 0..1, of the content's size, whose sides are multiples of 8.

        ``content`` and ``style`` are what the encoder saw; ``noise`` is :func:`noise_planes`. ``strength``, a number or
        (B, 1, 1, 1), is 1 for the reference's style and 0 for the photograph's own. ``corrections`` are those of the
        reference's style (:mod:`training.feedback`).
        """
        drawn = self.drawn(content, style, noise, strength, corrections)
        with torch.autocast(drawn.device.type, enabled=False):
            return calmed(drawn, content[PICTURE].float())

    def drawn(
        self,
        content: Maps,
        style: Maps,
        noise: Sequence[Tensor],
        strength: Tensor | float = 1.0,
        corrections: Corrections | None = None,
    ) -> Tensor:
        """:meth:`forward` before coarse colours follow the photograph's."""
        with torch.autocast(content["4_1"].device.type, enabled=False):
            places = (content["4_1"].shape[2], content["4_1"].shape[3])
            query = grouped(nn.conv2d(columns(content), self.query.weight.float()), content[COLOURS].float())
            key = nn.conv2d(columns(style), self.key.weight.float())
            moments = gathered(attention(query, key, self.sharpness.float().exp()), style, places)
            dresses = {
                name: matched(dressed(content[name], moments[name], name), style[name], self.matching[name].sigmoid())
                for name in ("4_1", "3_1")
            }
            if corrections is not None:
                for name, (factor, shift) in corrections.items():
                    if name in dresses:
                        dresses[name] = corrected(dresses[name], (factor, shift))
                    else:
                        mean, deviation = moments[name]
                        moments[name] = corrected(mean, (factor, shift)), deviation * factor
            x4, x3 = (
                torch.lerp(content[name].float(), dress, _weight(strength, dress)) for name, dress in dresses.items()
            )
            own = own_moments(content, ("2_1", "1_1"))
            local = {
                name: torch.cat(
                    [torch.lerp(a, b, _weight(strength, a)) for a, b in zip(own[name], moments[name], strict=True)], 1
                )
                for name in ("2_1", "1_1")
            }
            outlines, pixels = normal(content["2_1"]), normal(content[PICTURE])
        planes = dict(zip(NOISES, noise, strict=True))
        x = self._layer("four", x4, planes)
        x = nn.interpolate(x, scale_factor=2)
        x = self.convolutions["join"](torch.cat([x, x3.to(x.dtype)], 1))
        x = x + self._layer("three1", self._layer("three0", x, planes), planes)
        x = nn.interpolate(self._layer("half0", x, planes), scale_factor=2)
        x = self._layer("half1", x, planes, local["2_1"], outlines)
        x = nn.interpolate(self._layer("half2", x, planes, local["1_1"]), scale_factor=2)
        drawn: Tensor = self.convolutions["full1"](self._layer("full0", x, planes, None, pixels))
        return drawn.float() + 0.5

    def kernels(self) -> list[Parameter]:
        """The weights of every convolution that draws, but of the last one, which mixes colours."""
        drawing = [*self.convolutions.values(), *self.tints.values(), *self.skips.values()]
        layers = [layer for layer in drawing if isinstance(layer, Conv2d) and layer is not self.convolutions["full1"]]
        return [layer.weight for layer in layers if isinstance(layer.weight, Parameter)]

    def _layer(
        self, name: str, x: Tensor, noise: dict[str, Tensor], local: Tensor | None = None, past: Tensor | None = None
    ) -> Tensor:
        x = self.convolutions[name](x)
        if past is not None:
            x = x + self.skips[name](past.to(x.dtype))
        x = x + self.noises[name].to(x.dtype) * noise[name].to(x.dtype)
        if local is not None:
            tint = self.tints[name](local.to(x.dtype))
            scale, shift = enlarged(tint, STRIDE // NOISES[name]).chunk(2, 1)
            x = x * (1 + scale) + shift
        return nn.leaky_relu(x, SLOPE)


def noise_planes(
    count: int, height: int, width: int, device: torch.device, generator: torch.Generator | None = None
) -> list[Tensor]:
    """Normal noise (count, 1, h, w) for each of :data:`NOISES` of pictures of ``height`` x ``width`` pixels."""
    return [
        torch.randn(count, 1, height // step, width // step, device=device, generator=generator)
        for step in NOISES.values()
    ]


def _weight(strength: Tensor | float, like: Tensor) -> Tensor:
    """As ``torch.lerp`` wants it."""
    return torch.as_tensor(strength, dtype=torch.float32, device=like.device)
